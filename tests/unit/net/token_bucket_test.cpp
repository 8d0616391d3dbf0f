#include "net/token_bucket.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

constexpr TokenBucket kBucket{.rate = 5'000'000, .burst = 100'000, .queue = 250'000};

TokenBucket changed(void (*change)(TokenBucket&)) {
  TokenBucket bucket = kBucket;
  change(bucket);
  return bucket;
}

TEST(TokenBucket, IsLikeWhatTheKernelMakesOfItsBurst) {
  EXPECT_TRUE(kBucket.is_like(kBucket));
  EXPECT_TRUE(kBucket.is_like(changed([](TokenBucket& bucket) { bucket.burst -= 1; })));
}

TEST(TokenBucket, IsNotLikeOneThatLimitsOtherwise) {
  EXPECT_FALSE(kBucket.is_like(changed([](TokenBucket& bucket) { bucket.rate += 1; })));
  EXPECT_FALSE(kBucket.is_like(changed([](TokenBucket& bucket) { bucket.queue += 1; })));
  EXPECT_FALSE(kBucket.is_like(changed([](TokenBucket& bucket) { bucket.burst *= 2; })));
  EXPECT_FALSE(kBucket.is_like(changed([](TokenBucket& bucket) { bucket.burst /= 2; })));
}

}  // namespace
}  // namespace kubecni::test
