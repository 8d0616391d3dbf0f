#pragma once

#include "bench/cni_report.hpp"
#include "bench/prog_baseline.hpp"
#include "bench/prog_walks.hpp"

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <vector>

namespace kubecni::bench {

/// What `kube-cni-bench prog` has measured.
struct ProgReport {
  ProgBaseline baseline;
  std::vector<ProgCounts> counts;
  std::vector<WalkTime> walks;
  ProgGrowth growth;
};

void print_markdown(std::ostream& out, const Facts& facts, const ProgReport& report);
nlohmann::json to_json(const Facts& facts, const ProgReport& report);

}  // namespace kubecni::bench
