#include "bench/prog_report.hpp"

#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace kubecni::bench {

using nlohmann::json;

namespace {

/// "812 (+3 %)", the second part against the baseline.
std::string beside_baseline(std::uint64_t now, const ProgCounts* baseline,
                            std::uint64_t ProgCounts::* count) {
  std::ostringstream text;
  text << now;
  if (!baseline || baseline->*count == 0) return text.str();
  const double before = static_cast<double>(baseline->*count);
  const long percent = std::lround(100 * (static_cast<double>(now) / before - 1));
  if (percent != 0) text << " (" << std::showpos << percent << " %)";
  return text.str();
}

json to_json(const ProgCounts& counts) {
  return {{"variant", counts.variant},           {"program", counts.program},
          {"instructions", counts.instructions}, {"verifiedInstructions", counts.verified},
          {"xlatedBytes", counts.xlated},        {"jitedBytes", counts.jited}};
}

}  // namespace

void print_markdown(std::ostream& out, const Facts& facts, const ProgReport& report) {
  for (const auto& [name, value] : facts) out << "* " << name << ": " << value << "\n";
  out << "\n| program | family | walk | exit | ns a packet | p95 |\n"
         "| --- | --- | --- | --- | ---: | ---: |\n";
  for (const WalkTime& time : report.walks)
    out << "| " << time.program << " | " << time.family << " | " << time.walk << " | " << time.exit
        << " | " << std::lround(time.ns.median) << " | " << std::lround(time.ns.p95) << " |\n";
  out << "\nBeside the baseline, which is of kernel " << report.baseline.kernel << ":\n\n"
      << "| variant | program | instructions | verified | translated bytes | machine code bytes |\n"
         "| --- | --- | ---: | ---: | ---: | ---: |\n";
  for (const ProgCounts& counts : report.counts) {
    const ProgCounts* before = find_counts(report.baseline, counts);
    out << "| " << counts.variant << " | " << counts.program;
    for (const auto count : {&ProgCounts::instructions, &ProgCounts::verified, &ProgCounts::xlated,
                             &ProgCounts::jited})
      out << " | " << beside_baseline(counts.*count, before, count);
    out << " |\n";
  }
  for (const auto& what : report.growth.not_compared) out << "\nNot compared: " << what << "\n";
  for (const auto& what : report.growth.too_large) out << "\nToo large: " << what << "\n";
}

json to_json(const Facts& facts, const ProgReport& report) {
  json named = json::object(), counts = json::array(), walks = json::array();
  for (const auto& [name, value] : facts) named[name] = value;
  for (const ProgCounts& each : report.counts) counts.push_back(to_json(each));
  for (const WalkTime& time : report.walks)
    walks.push_back(
        {{"program", time.program},
         {"family", time.family},
         {"walk", time.walk},
         {"exit", time.exit},
         {"ns", {{"median", time.ns.median}, {"p95", time.ns.p95}, {"samples", time.ns.samples}}}});
  return {{"facts", named},
          {"walks", walks},
          {"programs", counts},
          {"baselineKernel", report.baseline.kernel},
          {"tooLarge", report.growth.too_large},
          {"notCompared", report.growth.not_compared}};
}

}  // namespace kubecni::bench
