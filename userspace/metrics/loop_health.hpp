#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace kubecni {

/// Whether a loop still runs. Its thread calls at both ends of a round; other threads ask.
class LoopHealth {
 public:
  using Clock = std::chrono::steady_clock;

  /// A round, and a pause between two, take less than `patience`.
  explicit LoopHealth(std::chrono::seconds patience, Clock::time_point now = Clock::now())
      : patience_(patience), since_(now) {}

  void begin_round(Clock::time_point now = Clock::now());
  void end_round(Clock::time_point now = Clock::now());

  /// Empty while the loop runs; else what is wrong.
  [[nodiscard]] std::string why_stuck(Clock::time_point now = Clock::now()) const;

 private:
  const std::chrono::seconds patience_;
  mutable std::mutex mutex_;
  bool in_round_ = false;
  Clock::time_point since_;  // when the round or the pause began
};

}  // namespace kubecni
