#include "daemon/round_pacer.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using namespace std::chrono_literals;
using Clock = RoundPacer::Clock;

class RoundPacerTest : public testing::Test {
 protected:
  /// Notifications without a pause for `time`, each round of which takes `price`. Returns
  /// how much of it the rounds took.
  double share_in_storm(Clock::duration time, Clock::duration price) {
    const auto end = now_ + time;
    Clock::duration paid{};
    while (now_ < end) {
      now_ = pacer_.after_notification(now_);
      round(price);
      paid += price;
    }
    return std::chrono::duration<double>(paid) / std::chrono::duration<double>(time);
  }

  void round(Clock::duration price) {
    now_ += price;
    pacer_.pay(now_, price);
  }

  Clock::duration wait() { return pacer_.after_notification(now_) - now_; }

  Clock::time_point now_{1h};
  RoundPacer pacer_{now_};
};

TEST_F(RoundPacerTest, TheFirstNotificationIsHeardOnceTheKernelHasSettled) {
  EXPECT_EQ(wait(), RoundPacer::kSettleTime);
}

TEST_F(RoundPacerTest, MayNeedNoTimeToSettle) {
  pacer_ = RoundPacer(now_, 0ms);

  EXPECT_EQ(wait(), 0ms);
  round(2 * RoundPacer::kFullBudget);
  EXPECT_GT(wait(), 0ms) << "its rounds have to be paid, too";
}

TEST_F(RoundPacerTest, AFewInARowAreHeardAsFast) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(wait(), RoundPacer::kSettleTime) << i;
    now_ += wait();
    round(20ms);
  }
}

TEST_F(RoundPacerTest, AStormCostsABoundedShareWhateverARoundCosts) {
  for (const auto price : {1ms, 5ms, 25ms, 100ms}) {
    share_in_storm(1min, price);
    EXPECT_LE(share_in_storm(10min, price), 0.026) << price.count();
  }
}

TEST_F(RoundPacerTest, AStormCostsTheShareThatWasAskedFor) {
  pacer_ = RoundPacer(now_, 10ms, 10);
  share_in_storm(1min, 100ms);

  const double share = share_in_storm(10min, 100ms);
  EXPECT_LE(share, 0.101);
  EXPECT_GE(share, 0.09);
}

TEST_F(RoundPacerTest, NoRoundWaitsLongerThanTheLongestWait) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(wait(), RoundPacer::kLongestWait);
    now_ += wait();
    round(2s);
  }
}

TEST_F(RoundPacerTest, AfterAStormRestFillsTheBudgetAgain) {
  share_in_storm(1min, 100ms);
  ASSERT_GT(wait(), RoundPacer::kSettleTime);

  now_ += RoundPacer::kLongestWait;
  EXPECT_EQ(wait(), RoundPacer::kSettleTime);

  now_ += RoundPacer::kFullBudget * RoundPacer::kShare;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(wait(), RoundPacer::kSettleTime) << i;
    now_ += wait();
    round(20ms);
  }
}

TEST_F(RoundPacerTest, RestDoesNotSaveMoreThanTheFullBudget) {
  now_ += 24h;

  EXPECT_LE(share_in_storm(20s, 25ms), 0.026 + 0.25 / 20 + 0.025 / 20);
}

}  // namespace
}  // namespace kubecni::test
