#pragma once

#include <chrono>
#include <thread>

namespace kubecni::test {

inline constexpr std::chrono::seconds kDeadline{20};

/// Whether `condition` comes true before the deadline.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds deadline = kDeadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace kubecni::test
