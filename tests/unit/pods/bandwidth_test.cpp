#include "pods/bandwidth.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace kubecni::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kMtu = 1500;

TEST(TokenBucketPlan, LetsWhatTheRateGivesIn20MsPassAtOnce) {
  const TokenBucket bucket = plan_token_bucket({.rate = 80'000'000}, kMtu);

  EXPECT_EQ(bucket.rate, 10'000'000u);
  EXPECT_EQ(bucket.burst, 200'000u);
  EXPECT_EQ(bucket.queue, 500'000u);
}

TEST(TokenBucketPlan, HasRoomForPacketsAtTheLowestRate) {
  const TokenBucket bucket = plan_token_bucket({.rate = 1'000}, kMtu);

  EXPECT_EQ(bucket.rate, 125u);
  EXPECT_EQ(bucket.burst, 16u << 10);
  EXPECT_EQ(bucket.queue, 64u << 10);
}

TEST(TokenBucketPlan, IsWhatFitsAtTheHighestRate) {
  const TokenBucket bucket = plan_token_bucket({.rate = 1'000'000'000'000'000}, kMtu);

  EXPECT_EQ(bucket.rate, 125'000'000'000'000u);
  EXPECT_EQ(bucket.burst, UINT32_MAX);
  EXPECT_EQ(bucket.queue, UINT32_MAX);
}

TEST(TokenBucketPlan, HeedsTheBurstThatWasAskedFor) {
  EXPECT_EQ(plan_token_bucket({.rate = 80'000'000, .burst = 8'000'000}, kMtu).burst, 1'000'000u);
  EXPECT_EQ(plan_token_bucket({.rate = 80'000'000, .burst = 64'000}, kMtu).burst, 8'000u);
}

TEST(TokenBucketPlan, LetsEveryFramePassWhateverTheBurst) {
  EXPECT_GE(plan_token_bucket({.rate = 80'000'000, .burst = 8}, kMtu).burst, kMtu + 18);
  EXPECT_GE(plan_token_bucket({.rate = 80'000'000, .burst = 8}, 9000).burst, 9018u);
}

TEST(TokenBucketPlan, HasAtMostAMinuteOfBurst) {
  EXPECT_EQ(plan_token_bucket({.rate = 8'000, .burst = 800'000'000}, kMtu).burst, 60'000u);
}

TEST(PacerPlan, HasTheBurstOfTheBucketAndAQueueThatFqHasRoomFor) {
  const Pacer pacer = plan_pacer({.rate = 80'000'000}, kMtu);

  EXPECT_EQ(pacer.rate, 10'000'000u);
  EXPECT_EQ(pacer.burst, 20ms);
  EXPECT_EQ(pacer.queue, 13'500us) << "90 packets, not 50 ms";
}

TEST(PacerPlan, KeepsNothingLongerThanTheBucket) {
  EXPECT_EQ(plan_pacer({.rate = 16'000'000}, kMtu).queue, 50ms);
}

TEST(PacerPlan, IsThatOfTheHighestRate) {
  const Pacer pacer = plan_pacer({.rate = 1'000'000'000'000'000}, kMtu);

  EXPECT_EQ(pacer.rate, 125'000'000'000'000u);
  EXPECT_LT(pacer.burst, 1ms);
}

TEST(IfbName, FollowsFromTheHostEnd) {
  EXPECT_EQ(ifb_name_for("veth0123456789a"), "ifb0123456789a");
}

}  // namespace
}  // namespace kubecni::test
