#pragma once

#include "bench/cni_report.hpp"
#include "bench/sync_bench.hpp"

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <vector>

namespace kubecni::bench {

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<SyncRow>& rows);
nlohmann::json to_json(const Facts& facts, const std::vector<SyncRow>& rows);

}  // namespace kubecni::bench
