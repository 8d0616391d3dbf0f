#pragma once

#include <chrono>

namespace kubecni {

/// Decides when a round may begin that the kernel's notifications, or news of the cluster, ask for.
/// Such rounds cost a bounded share of a core, whatever their number and the cost of one.
///
/// The price of a round is its CPU time. It is paid from a budget, which grows with time up to a
/// limit. While the budget lasts, a round begins after a short settle time. Without budget, rounds
/// wait until it is paid, but never longer than kLongestWait, so that real changes are repaired.
/// Pure: the caller has the clock.
class RoundPacer {
 public:
  using Clock = std::chrono::steady_clock;

  /// Changes come in bursts, and some are our own.
  static constexpr std::chrono::milliseconds kSettleTime{50};
  /// The budget grows by the passed time divided by the share.
  static constexpr int kShare = 40;
  static constexpr std::chrono::milliseconds kFullBudget{250};
  static constexpr std::chrono::seconds kLongestWait{5};

  /// `settle` is the time between a notification and its round.
  explicit RoundPacer(Clock::time_point now, std::chrono::milliseconds settle = kSettleTime,
                      int share = kShare)
      : settle_(settle), share_(share), budget_(kFullBudget), counted_at_(now) {}

  /// When a round may begin that a notification at `now` asks for.
  [[nodiscard]] Clock::time_point after_notification(Clock::time_point now);
  /// Pays for a round that a notification asked for, and that ended at `now`.
  void pay(Clock::time_point now, Clock::duration price);

 private:
  void earn(Clock::time_point now);

  std::chrono::milliseconds settle_;
  int share_;
  Clock::duration budget_;  ///< may be negative
  Clock::time_point counted_at_;
};

}  // namespace kubecni
