#include "control/retry.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using std::chrono::milliseconds;

Outcome failed() {
  Outcome outcome{.controller = "nodes", .changes = {}, .conditions = {}};
  outcome.fail("route: no");
  return outcome;
}

milliseconds delay_of(Retry& retry, Outcome outcome) {
  retry.schedule(outcome);
  return outcome.again_in.value_or(milliseconds(0));
}

TEST(Retry, AControllerThatFailsLooksAgainSoonAndThenLessOften) {
  Retry retry;

  EXPECT_EQ(delay_of(retry, failed()), Retry::kFirst);
  EXPECT_EQ(delay_of(retry, failed()), Retry::kFirst * 2);
  for (int i = 0; i < 20; ++i) delay_of(retry, failed());
  EXPECT_EQ(delay_of(retry, failed()), Retry::kSlowest);
}

TEST(Retry, OneThatSucceededBeginsAnew) {
  Retry retry;
  delay_of(retry, failed());
  Outcome doubtful{.controller = "nodes", .changes = {}, .conditions = {}};
  doubtful.say(ConditionKind::kNodeDoubtful, "8.8.4.4 is in the internet", "n4");

  EXPECT_EQ(delay_of(retry, doubtful), milliseconds(0)) << "that is no failure";
  EXPECT_EQ(delay_of(retry, failed()), Retry::kFirst);
}

TEST(Retry, ALookThatIsDueSoonerStays) {
  Retry retry;
  Outcome hasty = failed();
  hasty.again_in = milliseconds(300);

  EXPECT_EQ(delay_of(retry, hasty), milliseconds(300));
}

}  // namespace
}  // namespace kubecni::test
