#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// What a scrape returns: metrics with their values, as prometheus-cpp writes them.
using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// A family without values is left out when it is written.

inline prometheus::MetricFamily gauge(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Gauge, {}};
}
inline prometheus::MetricFamily counter(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Counter, {}};
}
inline prometheus::MetricFamily histogram(std::string name, std::string help) {
  return {std::move(name), std::move(help), prometheus::MetricType::Histogram, {}};
}

/// Adds one value to a gauge or counter.
inline void add(prometheus::MetricFamily& family, Labels labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  metric.counter.value = value;
  family.metric.push_back(std::move(metric));
}
inline void add(prometheus::MetricFamily& family, Labels labels, std::uint64_t value) {
  add(family, std::move(labels), static_cast<double>(value));
}

}  // namespace kubecni
