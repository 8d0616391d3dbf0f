#include "k8s/backoff.hpp"

#include <algorithm>

namespace kubecni {

std::chrono::milliseconds Backoff::next() {
  const auto delay = delay_;
  delay_ = std::min(2 * delay_, most_);
  std::uniform_int_distribution jittered(delay.count() / 2, delay.count());
  return std::chrono::milliseconds(jittered(random_));
}

}  // namespace kubecni
