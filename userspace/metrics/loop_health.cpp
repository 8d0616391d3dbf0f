#include "metrics/loop_health.hpp"

namespace kubecni {

void LoopHealth::begin_round(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  in_round_ = true;
  since_ = now;
}

void LoopHealth::end_round(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  in_round_ = false;
  since_ = now;
}

std::string LoopHealth::why_stuck(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - since_);
  if (passed < patience_) return "";
  const std::string seconds = std::to_string(passed.count()) + " s";
  return in_round_ ? "the reconcile loop hangs: its round has not ended for " + seconds
                   : "the reconcile loop has stopped: no round has begun for " + seconds;
}

}  // namespace kubecni
