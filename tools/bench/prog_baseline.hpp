#pragma once

#include "base/result.hpp"
#include "bench/prog_counts.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The committed sizes of the programs (tools/bench/prog_baseline.json).
struct ProgBaseline {
  std::string kernel;  ///< the series, "6.18", on which they were counted
  std::vector<ProgCounts> programs;
};

/// By how much a program may grow before its baseline has to be renewed, with the reason in the
/// commit.
inline constexpr double kAllowedGrowth = 0.10;

/// How the programs differ from the baseline.
struct ProgGrowth {
  std::vector<std::string> too_large;     ///< a sentence each
  std::vector<std::string> not_compared;  ///< and why
};

/// Compares `counts`, of a kernel of the series `kernel`. Instructions of the object are compared
/// everywhere. What the kernel makes of them, only if it is of the baseline's series. The size of
/// machine code also depends on the CPU, and is never compared. Pure.
ProgGrowth compare_with(const ProgBaseline& baseline, const std::string& kernel,
                        const std::vector<ProgCounts>& counts);

/// The program's entry; nothing if there is none. Pure.
const ProgCounts* find_counts(const ProgBaseline& baseline, const ProgCounts& counts);

nlohmann::json to_json(const ProgBaseline& baseline);
/// Errors: EBADMSG the text is no baseline.
Result<ProgBaseline> parse_baseline(const std::string& text);
/// Errors: those of read_file(); EBADMSG.
Result<ProgBaseline> read_baseline(const std::filesystem::path& path);

}  // namespace kubecni::bench
