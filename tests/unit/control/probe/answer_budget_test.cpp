#include "control/probe/answer_budget.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using namespace std::chrono_literals;

class AnswerBudgetTest : public testing::Test {
 protected:
  /// How many of `questions` are answered.
  unsigned ask(const IpAddr& asker, unsigned questions) {
    unsigned answered = 0;
    for (unsigned i = 0; i < questions; ++i) answered += budget.spend(asker, now) ? 1 : 0;
    return answered;
  }

  AnswerBudget budget;
  AnswerBudget::Clock::time_point now{1h};
  const IpAddr loud = addr("192.0.2.1");
  const IpAddr other = addr("192.0.2.2");
};

TEST_F(AnswerBudgetTest, WhoAsksTooOftenTakesNothingFromOthers) {
  EXPECT_EQ(ask(loud, 10'000), AnswerBudget::kToOnePerSecond);

  EXPECT_EQ(ask(other, 4), 4U);
}

TEST_F(AnswerBudgetTest, BeginsAnewWithEachSecond) {
  ask(loud, 100);
  now += 999ms;
  EXPECT_EQ(ask(loud, 100), 0U);

  now += 1ms;

  EXPECT_EQ(ask(loud, 100), AnswerBudget::kToOnePerSecond);
}

TEST_F(AnswerBudgetTest, ManyTogetherGetNoMoreThanTheWholeBudget) {
  unsigned answered = 0;
  for (unsigned i = 0; i < 5'000; ++i) answered += ask(addr("198.18.0.0").plus(i), 4);

  EXPECT_EQ(answered, AnswerBudget::kPerSecond);
}

}  // namespace
}  // namespace kubecni::test
