#include "bench/footprint_report.hpp"

#include <iomanip>
#include <ostream>

namespace kubecni::bench {

using nlohmann::json;

namespace {

double in_mib(std::uintmax_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

void print_markdown(std::ostream& out, const Facts& facts, const Footprint& footprint) {
  for (const auto& [name, value] : facts) out << "* " << name << ": " << value << "\n";
  out << std::fixed << "\n| what | MiB |\n| --- | ---: |\n" << std::setprecision(2);
  for (const auto& row : footprint.sizes)
    out << "| " << row.name << " | " << in_mib(row.bytes) << " |\n";
  out << "\n| kube-cnid | RSS MiB | of it its own | peak | CPU % | of it probes | threads | open "
         "files |\n"
         "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  for (const auto& row : footprint.daemon)
    out << "| " << row.scenario << std::setprecision(1) << " | " << in_mib(row.usage.resident)
        << " | " << in_mib(row.usage.anonymous) << " | " << in_mib(row.usage.peak_resident)
        << std::setprecision(2) << " | " << row.cpu_percent << " | " << row.probe_percent << " | "
        << row.usage.threads << " | " << row.usage.open_files << " |\n";
  out << "\n| until it is in force | times | median ms | max ms |\n| --- | ---: | ---: | ---: |\n"
      << std::setprecision(1);
  for (const auto& row : footprint.delays)
    out << "| " << row.change << " | " << row.ms.samples << " | " << row.ms.median << " | "
        << row.ms.max << " |\n";
}

json to_json(const Facts& facts, const Footprint& footprint) {
  json sizes = json::object(), daemon = json::array(), named = json::object();
  for (const auto& row : footprint.sizes) sizes[row.name] = row.bytes;
  for (const auto& row : footprint.daemon)
    daemon.push_back({{"scenario", row.scenario},
                      {"rssBytes", row.usage.resident},
                      {"ownBytes", row.usage.anonymous},
                      {"peakRssBytes", row.usage.peak_resident},
                      {"cpuPercent", row.cpu_percent},
                      {"probeCpuPercent", row.probe_percent},
                      {"threads", row.usage.threads},
                      {"openFiles", row.usage.open_files}});
  json delays = json::array();
  for (const auto& row : footprint.delays)
    delays.push_back({{"change", row.change},
                      {"times", row.ms.samples},
                      {"medianMs", row.ms.median},
                      {"maxMs", row.ms.max}});
  for (const auto& [name, value] : facts) named[name] = value;
  return {{"facts", named}, {"sizes", sizes}, {"daemon", daemon}, {"delays", delays}};
}

}  // namespace kubecni::bench
