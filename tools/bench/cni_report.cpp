#include "bench/cni_report.hpp"

#include <algorithm>
#include <iomanip>
#include <ostream>

namespace kubecni::bench {

using nlohmann::json;

namespace {

double ratio(double value, double base) { return base > 0 ? value / base : 0; }

json to_json(const Summary& summary) {
  return {{"median", summary.median}, {"p95", summary.p95}, {"samples", summary.samples}};
}

}  // namespace

Ratios ratios_to_bridge(const CniRow& row, const std::vector<CniRow>& rows) {
  const auto base = std::ranges::find_if(rows, [&](const CniRow& other) {
    return other.plugin == "bridge" && other.pods == row.pods && other.parallel == row.parallel &&
           other.verb == row.verb;
  });
  if (base == rows.end()) return {};
  return {.wall = ratio(row.per_pod.median, base->per_pod.median),
          .cpu = ratio(row.cpu.median, base->cpu.median)};
}

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<CniRow>& rows) {
  for (const auto& [name, value] : facts) out << "* " << name << ": " << value << "\n";
  out << "\n| pods | at once | verb | plugin | wall ms | p95 | CPU ms | p95 | ms a pod | wall "
         "ratio "
         "| CPU ratio |\n| ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | "
         "---: |\n"
      << std::fixed << std::setprecision(2);
  for (const auto& row : rows) {
    const Ratios to_bridge = ratios_to_bridge(row, rows);
    out << "| " << row.pods << " | " << row.parallel << " | " << row.verb << " | " << row.plugin
        << " | " << row.wall.median << " | " << row.wall.p95 << " | " << row.cpu.median << " | "
        << row.cpu.p95 << " | " << row.per_pod.median << " | " << to_bridge.wall << " | "
        << to_bridge.cpu << " |\n";
  }
}

json to_json(const Facts& facts, const std::vector<CniRow>& rows) {
  json list = json::array();
  for (const auto& row : rows) {
    const Ratios to_bridge = ratios_to_bridge(row, rows);
    list.push_back({{"pods", row.pods},
                    {"atOnce", row.parallel},
                    {"verb", row.verb},
                    {"plugin", row.plugin},
                    {"wallMs", to_json(row.wall)},
                    {"cpuMs", to_json(row.cpu)},
                    {"msAPod", to_json(row.per_pod)},
                    {"wallRatio", to_bridge.wall},
                    {"cpuRatio", to_bridge.cpu}});
  }
  json named = json::object();
  for (const auto& [name, value] : facts) named[name] = value;
  return {{"facts", named}, {"rows", list}};
}

}  // namespace kubecni::bench
