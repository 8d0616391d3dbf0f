#include "bench/sync_report.hpp"

#include <iomanip>
#include <ostream>

namespace kubecni::bench {

using nlohmann::json;

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<SyncRow>& rows) {
  for (const auto& [name, value] : facts) out << "* " << name << ": " << value << "\n";
  out << "\n| what | unit | times | median | max, or p95 of ns |\n| --- | --- | ---: | ---: | ---: "
         "|\n"
      << std::fixed << std::setprecision(1);
  for (const SyncRow& row : rows)
    out << "| " << row.what << " | " << row.unit << " | " << row.value.samples << " | "
        << row.value.median << " | " << row.value.max << " |\n";
}

json to_json(const Facts& facts, const std::vector<SyncRow>& rows) {
  json named = json::object(), list = json::array();
  for (const auto& [name, value] : facts) named[name] = value;
  for (const SyncRow& row : rows)
    list.push_back({{"what", row.what},
                    {"unit", row.unit},
                    {"times", row.value.samples},
                    {"median", row.value.median},
                    {"max", row.value.max}});
  return {{"facts", named}, {"rows", list}};
}

}  // namespace kubecni::bench
