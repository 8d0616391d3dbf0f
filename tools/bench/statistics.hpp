#pragma once

#include <cstddef>
#include <vector>

namespace kubecni::bench {

/// The summary of one series of measurements, in its unit.
struct Summary {
  double median = 0;
  double p95 = 0;  ///< 95 of 100 measurements are at most this
  std::size_t samples = 0;
  double min = 0;
  double max = 0;
};

/// Zeros when there are no samples. Pure.
Summary summarize(std::vector<double> samples);

}  // namespace kubecni::bench
