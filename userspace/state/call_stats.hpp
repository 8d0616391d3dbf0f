#pragma once

#include "base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace kubecni {

/// The CNI verbs that are counted: all but VERSION.
inline constexpr std::array<std::string_view, 5> kCountedVerbs{"ADD", "DEL", "CHECK", "GC",
                                                               "STATUS"};
/// The error codes that have their own counter; all others share one.
inline constexpr std::array<unsigned, 13> kCountedCodes{1, 2,  3,  4,  5,   6,  7,
                                                        8, 11, 50, 51, 100, 101};
/// Upper bounds of the classes of durations; one more class counts longer calls.
inline constexpr std::array<std::chrono::microseconds, 13> kDurationBounds{
    {std::chrono::microseconds{2'500}, std::chrono::milliseconds{5}, std::chrono::milliseconds{10},
     std::chrono::milliseconds{25}, std::chrono::milliseconds{50}, std::chrono::milliseconds{100},
     std::chrono::milliseconds{250}, std::chrono::milliseconds{500}, std::chrono::seconds{1},
     std::chrono::milliseconds{2'500}, std::chrono::seconds{5}, std::chrono::seconds{10},
     std::chrono::seconds{30}}};

/// The results of the calls of one verb since the run folder was made, which is at boot.
struct VerbStats {
  std::array<std::uint64_t, kDurationBounds.size() + 1> by_duration{};  ///< each call in one
  std::array<std::uint64_t, kCountedCodes.size() + 1> by_code{};        ///< the failed ones
  std::uint64_t total_ns = 0;                                           ///< of all calls
};

/// In the order of kCountedVerbs.
using CallStats = std::array<VerbStats, kCountedVerbs.size()>;

/// The file of the counters: <run dir>/plugin-stats.
std::filesystem::path call_stats_path(const std::filesystem::path& run_dir);

/// Counts one call of the plugin; ignores verbs that are not counted. `error_code` is CNI's, 0 for
/// success. Processes may call it at the same time; it takes no lock. A process that is killed
/// meanwhile may count its call in only some of the numbers. Replaces a file that is damaged or of
/// another build. After an error nothing is counted.
/// Errors: ENOENT there is no run folder, which only ADD and the daemon make; ENOSPC and others of
/// the file system.
Result<> count_call(const std::filesystem::path& run_dir, std::string_view verb,
                    unsigned error_code, std::chrono::nanoseconds duration);

/// The counters; empty if nothing was counted yet. Errors: EBADMSG the file is damaged, or of
/// another build; the next call replaces it.
Result<std::optional<CallStats>> read_call_stats(const std::filesystem::path& run_dir);

}  // namespace kubecni
