#include "bench/prog_counts.hpp"

#include <gtest/gtest.h>

namespace kubecni::bench {
namespace {

TEST(KernelSeries, IsTheFirstTwoNumbers) {
  EXPECT_EQ(kernel_series("6.18.44-fc"), "6.18");
  EXPECT_EQ(kernel_series("6.1.0-27-amd64"), "6.1");
  EXPECT_EQ(kernel_series("7.0-rc3"), "7.0");
  EXPECT_EQ(kernel_series("odd"), "odd");
}

}  // namespace
}  // namespace kubecni::bench
