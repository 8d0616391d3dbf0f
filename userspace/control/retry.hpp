#pragma once

#include "control/outcome.hpp"

#include <algorithm>
#include <chrono>

namespace kubecni {

/// When a controller that failed looks again: soon, and less often the longer it fails.
class Retry {
 public:
  static constexpr std::chrono::milliseconds kFirst{1'000};
  static constexpr std::chrono::milliseconds kSlowest{60'000};

  /// Asks for another look if a step of the outcome failed. A controller that knows when it
  /// has to look itself is not held up.
  void schedule(Outcome& outcome) {
    if (std::ranges::find(outcome.conditions, ConditionKind::kFailed, &Condition::kind) ==
        outcome.conditions.end()) {
      delay_ = kFirst;
      return;
    }
    outcome.again_in = std::min(outcome.again_in.value_or(delay_), delay_);
    delay_ = std::min(delay_ * 2, kSlowest);
  }

 private:
  std::chrono::milliseconds delay_ = kFirst;
};

}  // namespace kubecni
