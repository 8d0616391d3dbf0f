#pragma once

#include "support/node.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace kubecni::test {

/// The port of kube-cnid's --metrics-address unless it is told another.
inline constexpr std::uint16_t kMetricsPort = 9484;
/// The same for --health-address.
inline constexpr std::uint16_t kHealthPort = 9485;

/// The content of a node's /metrics.
struct Scrape {
  std::string text;
  std::map<std::string, double> values;     ///< by "name{label="value"}"
  std::map<std::string, std::string> help;  ///< of each family, by name
  std::map<std::string, std::string> type;  ///< likewise

  /// Throws when there is no such series.
  [[nodiscard]] double operator[](const std::string& series) const;
  [[nodiscard]] bool has(const std::string& series) const { return values.contains(series); }
};

/// Throws when the daemon does not answer with 200.
Scrape scrape(const Node& node, std::uint16_t port = kMetricsPort);

/// Whether `text`, a PromQL expression or a name, names only metrics of the scrape; else the first
/// missing one.
std::string find_unknown_metric(const std::string& text, const Scrape& scrape);

}  // namespace kubecni::test
