#pragma once

#include "bench/cni_bench.hpp"

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace kubecni::bench {

/// The conditions of a run, by name: the machine's facts, versions, options.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// `row` relative to `bridge` in the same scenario; 1 is the same.
struct Ratios {
  double wall = 0;  ///< of the time per pod
  double cpu = 0;
};
/// Zeros if `rows` has no such row. Pure.
Ratios ratios_to_bridge(const CniRow& row, const std::vector<CniRow>& rows);

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<CniRow>& rows);
nlohmann::json to_json(const Facts& facts, const std::vector<CniRow>& rows);

}  // namespace kubecni::bench
