#pragma once

#include "base/ip.hpp"

#include <chrono>
#include <map>

namespace kubecni {

/// How many questions a node answers. Pure.
class AnswerBudget {
 public:
  using Clock = std::chrono::steady_clock;

  /// A node that comes back is asked by many.
  static constexpr unsigned kPerSecond = 1'000;
  /// More than anybody asks by all ways, so that nobody uses up what others need.
  static constexpr unsigned kToOnePerSecond = 8;

  /// Whether one more question of `asker` is answered at `now`.
  bool spend(const IpAddr& asker, Clock::time_point now);

 private:
  std::chrono::time_point<Clock, std::chrono::seconds> second_{};
  unsigned spent_ = 0;                   ///< in this second
  std::map<IpAddr, unsigned> spent_on_;  ///< likewise, on whom
};

}  // namespace kubecni
