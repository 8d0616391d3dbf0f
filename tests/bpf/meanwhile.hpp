#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

namespace kubecni::test {

/// Makes a change `turns` times on a thread of its own.
class Meanwhile {
 public:
  Meanwhile(unsigned turns, std::function<void()> change)
      : thread_([this, turns, change = std::move(change)] {
          for (unsigned turn = 0; turn < turns; ++turn) change();
          done_ = true;
        }) {}
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  ~Meanwhile() { thread_.join(); }

  [[nodiscard]] bool is_done() const { return done_; }

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace kubecni::test
