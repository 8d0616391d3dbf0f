#include "bench/prog_baseline.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <set>

namespace kubecni::bench {

using nlohmann::json;

namespace {

constexpr const char* kRenew = "if it has to: tools/benchmark prog --write-baseline";

std::string name_of(const ProgCounts& counts) {
  return counts.program + " (" + counts.variant + ")";
}

bool is_too_large(std::uint64_t now, std::uint64_t before) {
  return static_cast<double>(now) > static_cast<double>(before) * (1 + kAllowedGrowth);
}

/// One program beside its entry.
class Comparison {
 public:
  Comparison(const ProgCounts& now, const ProgCounts& before, ProgGrowth& growth)
      : now_(&now), before_(&before), growth_(&growth) {}

  void compare(const char* what, std::uint64_t ProgCounts::* count) const {
    const std::uint64_t now = now_->*count, before = before_->*count;
    if (!is_too_large(now, before)) return;
    const double percent =
        100 *
        (static_cast<double>(now) / static_cast<double>(std::max<std::uint64_t>(before, 1)) - 1);
    growth_->too_large.push_back(name_of(*now_) + " has " + std::to_string(now) + " " + what +
                                 ", the baseline " + std::to_string(before) + ": " +
                                 std::to_string(std::lround(percent)) +
                                 " % more. Make it smaller, or, " + kRenew);
  }

 private:
  const ProgCounts* now_;
  const ProgCounts* before_;
  ProgGrowth* growth_;
};

}  // namespace

const ProgCounts* find_counts(const ProgBaseline& baseline, const ProgCounts& counts) {
  const auto found = std::ranges::find_if(baseline.programs, [&](const ProgCounts& entry) {
    return entry.variant == counts.variant && entry.program == counts.program;
  });
  return found == baseline.programs.end() ? nullptr : &*found;
}

ProgGrowth compare_with(const ProgBaseline& baseline, const std::string& kernel,
                        const std::vector<ProgCounts>& counts) {
  ProgGrowth growth;
  const bool same_kernel = baseline.kernel == kernel;
  if (!same_kernel)
    growth.not_compared.push_back(
        "verified instructions and translated bytes: the baseline is of "
        "kernel " +
        baseline.kernel + ", this is " + kernel);
  std::set<std::string> compared;
  for (const ProgCounts& now : counts) {
    compared.insert(name_of(now));
    const ProgCounts* before = find_counts(baseline, now);
    if (!before) {
      growth.too_large.push_back(name_of(now) + " is not in the baseline. Add it: " +
                                 "tools/benchmark prog --write-baseline");
      continue;
    }
    const Comparison comparison(now, *before, growth);
    comparison.compare("instructions", &ProgCounts::instructions);
    if (!same_kernel) continue;
    comparison.compare("verified instructions", &ProgCounts::verified);
    comparison.compare("translated bytes", &ProgCounts::xlated);
  }
  for (const ProgCounts& before : baseline.programs)
    if (!compared.contains(name_of(before)))
      growth.not_compared.push_back(name_of(before) +
                                    ": this kernel does not load it, or there is no such program");
  return growth;
}

json to_json(const ProgBaseline& baseline) {
  json programs = json::object();
  for (const ProgCounts& counts : baseline.programs)
    programs[counts.variant][counts.program] = {{"instructions", counts.instructions},
                                                {"verifiedInstructions", counts.verified},
                                                {"xlatedBytes", counts.xlated},
                                                {"jitedBytes", counts.jited}};
  return {{"kernel", baseline.kernel}, {"programs", programs}};
}

Result<ProgBaseline> parse_baseline(const std::string& text) {
  try {
    const json document = json::parse(text);
    ProgBaseline baseline{.kernel = document.at("kernel"), .programs = {}};
    for (const auto& [variant, programs] : document.at("programs").items())
      for (const auto& [program, counts] : programs.items())
        baseline.programs.push_back({.variant = variant,
                                     .program = program,
                                     .instructions = counts.at("instructions"),
                                     .verified = counts.at("verifiedInstructions"),
                                     .xlated = counts.at("xlatedBytes"),
                                     .jited = counts.at("jitedBytes")});
    return baseline;
  } catch (const json::exception& error) {
    return failure(EBADMSG, std::string("it is no baseline of programs: ") + error.what());
  }
}

Result<ProgBaseline> read_baseline(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) return fail(text);
  auto baseline = parse_baseline(*text);
  if (!baseline) return fail(baseline, "read " + path.string());
  return baseline;
}

}  // namespace kubecni::bench
