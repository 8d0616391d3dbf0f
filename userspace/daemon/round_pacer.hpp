#pragma once

#include <chrono>

namespace kubecni {

/// Decides when a round may begin that the kernel's notifications, or news of the cluster, ask
/// for, so that they cost a bounded share of a core, however many there are and whatever a round
/// costs.
///
/// A round has a price, its CPU time, which is paid from a budget that grows by a share of
/// the time and is full after a while of rest. As long as there is some, a round
/// begins once everything has settled; then rounds wait for it, though never so long that a
/// real change stays unrepaired. Pure: whoever calls has the clock.
class RoundPacer {
 public:
  using Clock = std::chrono::steady_clock;

  /// Changes come in bursts, and our own are among them.
  static constexpr std::chrono::milliseconds kSettleTime{50};
  /// One part of the time in this many.
  static constexpr int kShare = 40;
  static constexpr std::chrono::milliseconds kFullBudget{250};
  static constexpr std::chrono::seconds kLongestWait{5};

  explicit RoundPacer(Clock::time_point now) : budget_(kFullBudget), counted_at_(now) {}

  /// When a round may begin that a notification at `now` asks for.
  [[nodiscard]] Clock::time_point after_notification(Clock::time_point now);
  /// Takes the price of a round that a notification asked for, and that ended at `now`.
  void pay(Clock::time_point now, Clock::duration price);

 private:
  void earn(Clock::time_point now);

  Clock::duration budget_;  ///< may be negative
  Clock::time_point counted_at_;
};

}  // namespace kubecni
