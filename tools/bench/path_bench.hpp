#pragma once

#include "base/result.hpp"
#include "bench/path_candidates.hpp"
#include "bench/statistics.hpp"
#include "bench/traffic.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The options of `kube-cni-bench path`.
struct PathOptions {
  PathPrograms programs;
  std::vector<std::string> groups;      ///< of all_groups(); empty: all
  std::vector<std::string> candidates;  ///< parts of their names; empty: all
  std::vector<std::string> works;       ///< WorkInfo::name; empty: all
  std::vector<Cores> cores{Cores::kTwo, Cores::kOne};
  unsigned rounds = 5;
  std::chrono::milliseconds window{170};
};

/// One candidate with one work: summaries over the rounds.
struct PathRow {
  std::string group, candidate, limit, reference;
  Work work{};
  Cores cores{};
  Summary rate;            ///< in WorkInfo::unit
  Summary cpu;             ///< in WorkInfo::cpu_unit
  Summary p50_us, p99_us;  ///< without samples: the work has no latencies
  /// How many of the packets that reached pods were brought by eBPF, 0 to 1; without samples: the
  /// candidate has no eBPF.
  Summary ebpf_share;
};

/// Whether the options take this candidate. Its reference and its limit are taken along.
bool is_wanted(const PathOptions& options, const Candidate& candidate,
               const std::vector<Candidate>& all);

/// Makes all wanted candidates, and measures one after the other, in rounds, so that other load on
/// the machine affects all of them: each round has every work, and each work every candidate.
/// Works in a sandbox. Prints progress to standard error.
/// Errors: those of Candidate::make and measure_traffic(), with the candidate's name.
Result<std::vector<PathRow>> measure_paths(const PathOptions& options,
                                           const SoftirqClock& softirqs);

}  // namespace kubecni::bench
