#include "control/probe/answer_budget.hpp"

#include <utility>

namespace kubecni {

bool AnswerBudget::spend(const IpAddr& asker, Clock::time_point now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (std::exchange(second_, second) != second) {
    spent_ = 0;
    spent_on_.clear();
  }
  if (spent_ >= kPerSecond || spent_on_[asker] >= kToOnePerSecond) return false;
  ++spent_;
  ++spent_on_[asker];
  return true;
}

}  // namespace kubecni
