#include "bench/statistics.hpp"

#include <algorithm>

namespace kubecni::bench {

Summary summarize(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::ranges::sort(samples);
  const std::size_t count = samples.size();
  const double median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
  const std::size_t rank = (count * 95 + 99) / 100;  // the nearest rank, from 1
  return {.median = median,
          .p95 = samples[rank - 1],
          .samples = count,
          .min = samples.front(),
          .max = samples.back()};
}

}  // namespace kubecni::bench
