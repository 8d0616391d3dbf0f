#include "k8s/backoff.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLimitLessJitter) {
  Backoff backoff(milliseconds(100), milliseconds(700));

  for (const int most : {100, 200, 400, 700, 700}) {
    const auto delay = backoff.next();

    EXPECT_LE(delay, milliseconds(most));
    EXPECT_GE(delay, milliseconds(most / 2));
  }
}

TEST(Backoff, ResetStartsOver) {
  Backoff backoff(milliseconds(100), milliseconds(10'000));
  for (int i = 0; i < 5; ++i) backoff.next();

  backoff.reset();

  EXPECT_LE(backoff.next(), milliseconds(100));
}

}  // namespace
}  // namespace kubecni
