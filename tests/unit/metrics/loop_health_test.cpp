#include "metrics/loop_health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr LoopHealth::Clock::time_point kStart{1h};

TEST(Loop, IsHealthyWhileItGoesRound) {
  LoopHealth loop(60s, kStart);
  EXPECT_EQ(loop.why_stuck(kStart + 59s), "");

  loop.begin_round(kStart + 50s);
  EXPECT_EQ(loop.why_stuck(kStart + 109s), "");

  loop.end_round(kStart + 109s);
  EXPECT_EQ(loop.why_stuck(kStart + 168s), "");
}

TEST(Loop, ThatDoesNotEndARoundIsStuck) {
  LoopHealth loop(60s, kStart);

  loop.begin_round(kStart + 10s);

  EXPECT_THAT(loop.why_stuck(kStart + 75s), HasSubstr("has not ended for 65 s"));
}

TEST(Loop, ThatBeginsNoRoundIsStuck) {
  LoopHealth loop(60s, kStart);
  loop.begin_round(kStart + 10s);

  loop.end_round(kStart + 11s);

  EXPECT_THAT(loop.why_stuck(kStart + 72s), HasSubstr("no round has begun for 61 s"));
}

}  // namespace
}  // namespace kubecni::test
