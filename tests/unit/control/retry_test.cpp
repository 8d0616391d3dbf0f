#include "control/retry.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using std::chrono::milliseconds;

class RetryTest : public testing::Test {
 protected:
  /// When to look again after a round in which the steps failed; 0: at the usual time.
  milliseconds after(const std::vector<std::string>& failed, std::optional<milliseconds> own = {}) {
    Outcome outcome{.controller = "nodes", .again_in = own};
    for (const std::string& text : failed) outcome.fail(text);
    retry_.schedule(outcome, now_);
    return outcome.again_in.value_or(milliseconds(0));
  }

  Retry retry_;
  Retry::Clock::time_point now_{};
};

TEST_F(RetryTest, TheSameFailureIsTriedLessOften) {
  milliseconds wait = after({"route"});
  EXPECT_EQ(wait, Retry::kFirst);
  now_ += wait;
  wait = after({"route"});
  EXPECT_EQ(wait, Retry::kFirst * 2);
  for (int i = 0; i < 20; ++i) {
    now_ += wait;
    wait = after({"route"});
  }
  EXPECT_EQ(wait, Retry::kSlowest);
}

TEST_F(RetryTest, RoundsOfOtherCausesNeitherDelayItNorMakeItRare) {
  after({"route"});
  now_ += milliseconds(400);
  EXPECT_EQ(after({"route"}), milliseconds(600));
  now_ += milliseconds(400);
  EXPECT_EQ(after({"route"}), milliseconds(200));
}

TEST_F(RetryTest, AnotherFailureIsTriedSoon) {
  for (int i = 0; i < 10; ++i) now_ += after({"route"});

  EXPECT_EQ(after({"route", "neighbour"}), Retry::kFirst);
}

TEST_F(RetryTest, WithoutAFailureItAsksForNothing) {
  after({"route"});
  now_ += milliseconds(10);

  EXPECT_EQ(after({}), milliseconds(0));
  EXPECT_EQ(after({"route"}), Retry::kFirst) << "it begins anew";
}

TEST_F(RetryTest, ALookThatIsDueSoonerStays) {
  EXPECT_EQ(after({"route"}, milliseconds(300)), milliseconds(300));
}

}  // namespace
}  // namespace kubecni::test
