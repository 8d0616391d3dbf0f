#include "daemon/round_pacer.hpp"

#include <algorithm>

namespace kubecni {

void RoundPacer::earn(Clock::time_point now) {
  budget_ = std::min<Clock::duration>(budget_ + (now - counted_at_) / share_, kFullBudget);
  counted_at_ = now;
}

RoundPacer::Clock::time_point RoundPacer::after_notification(Clock::time_point now) {
  earn(now);
  const Clock::duration until_paid = std::max(-budget_, Clock::duration::zero()) * share_;
  return now + std::clamp<Clock::duration>(until_paid, settle_, kLongestWait);
}

void RoundPacer::pay(Clock::time_point now, Clock::duration price) {
  earn(now);
  // No debt is larger than the longest wait pays for. So the first round after a storm of
  // notifications does not wait.
  budget_ = std::max(budget_ - price, -Clock::duration(kLongestWait) / share_);
}

}  // namespace kubecni
