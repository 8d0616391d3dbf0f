#include "bench/statistics.hpp"

#include <gtest/gtest.h>

namespace kubecni::bench {
namespace {

TEST(Summary, HasTheMiddleSampleAsItsMedian) { EXPECT_EQ(summarize({9, 1, 4}).median, 4); }

TEST(Summary, HasTheMeanOfTheTwoMiddleSamplesAsItsMedian) {
  EXPECT_EQ(summarize({8, 1, 2, 4}).median, 3);
}

TEST(Summary, CountsNineteenOfTwentySamplesUpToItsP95) {
  std::vector<double> samples;
  for (int i = 20; i > 0; --i) samples.push_back(i);

  EXPECT_EQ(summarize(samples).p95, 19);
}

TEST(Summary, HasTheLargestOfFewSamplesAsItsP95) { EXPECT_EQ(summarize({3, 7, 5}).p95, 7); }

TEST(Summary, OfNothingIsZero) {
  const Summary summary = summarize({});

  EXPECT_EQ(summary.samples, 0u);
  EXPECT_EQ(summary.median, 0);
}

}  // namespace
}  // namespace kubecni::bench
