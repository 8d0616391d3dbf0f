#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace kubecni::test {

inline constexpr std::chrono::seconds kDeadline{20};

/// Whether `condition` comes true before the deadline. Most of the time is left to what it waits
/// for: a condition that takes long, since it runs a program, is tried less often.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds deadline = kDeadline) {
  using std::chrono::steady_clock;
  constexpr steady_clock::duration kShortest = std::chrono::milliseconds(2);
  constexpr steady_clock::duration kLongest = std::chrono::milliseconds(100);
  const auto end = steady_clock::now() + deadline;
  for (auto begin = steady_clock::now(); !condition(); begin = steady_clock::now()) {
    const auto now = steady_clock::now();
    if (now >= end) return false;
    std::this_thread::sleep_for(std::clamp(4 * (now - begin), kShortest, kLongest));
  }
  return true;
}

}  // namespace kubecni::test
