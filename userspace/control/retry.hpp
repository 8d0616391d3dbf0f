#pragma once

#include "control/outcome.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace kubecni {

/// When a controller that failed tries again: soon at first, and less often the longer the same
/// steps fail. Rounds that start for other causes do not count. The caller has the clock.
class Retry {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kFirst{1'000};
  static constexpr std::chrono::milliseconds kSlowest{60'000};

  /// Asks for another round if a step of the outcome failed, unless the controller has asked for an
  /// earlier one.
  void schedule(Outcome& outcome, Clock::time_point now) {
    auto failed = outcome.texts_of(ConditionKind::kFailed);
    if (failed != failed_) {
      delay_ = kFirst;
      due_at_ = now + delay_;
      failed_ = std::move(failed);
    } else if (now >= due_at_) {
      delay_ = std::min(delay_ * 2, kSlowest);
      due_at_ = now + delay_;
    }
    if (failed_.empty()) return;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due_at_ - now);
    outcome.again_in = std::min(outcome.again_in.value_or(wait), wait);
  }

 private:
  std::chrono::milliseconds delay_ = kFirst;
  Clock::time_point due_at_{};
  std::vector<std::string> failed_;
};

}  // namespace kubecni
