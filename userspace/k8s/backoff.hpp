#pragma once

#include <chrono>
#include <random>

namespace kubecni {

/// How long to wait before the next try: doubles from `first` to `most`, less a random part of up
/// to a half each time, so that the nodes of a cluster do not come back in step.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
      : first_(first), most_(most), delay_(first) {}

  std::chrono::milliseconds next();
  void reset() { delay_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds delay_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace kubecni
