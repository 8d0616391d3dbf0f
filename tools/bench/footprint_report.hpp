#pragma once

#include "bench/cni_report.hpp"
#include "bench/footprint_bench.hpp"

#include <nlohmann/json.hpp>

#include <iosfwd>

namespace kubecni::bench {

void print_markdown(std::ostream& out, const Facts& facts, const Footprint& footprint);
nlohmann::json to_json(const Facts& facts, const Footprint& footprint);

}  // namespace kubecni::bench
