#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace kubecni::cnicheck {

/// Calls `job` with 0 to `count` - 1 on at most `width` threads, and waits.
inline void run_parallel(std::size_t count, const std::function<void(std::size_t)>& job,
                         std::size_t width = 64) {
  std::atomic<std::size_t> next = 0;
  width = std::min(count, width);
  std::vector<std::jthread> threads;
  threads.reserve(width);
  for (std::size_t i = 0; i < width; ++i)
    threads.emplace_back([&] {
      for (std::size_t mine = next++; mine < count; mine = next++) job(mine);
    });
  threads.clear();
}

}  // namespace kubecni::cnicheck
