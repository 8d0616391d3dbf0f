#pragma once

#include "base/result.hpp"
#include "bench/statistics.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The options of `kube-cni-bench sync`.
struct SyncOptions {
  std::filesystem::path programs;  ///< the folder of kube-cni and kube-cnid
  unsigned nodes = 5000;
  unsigned changes = 20;            ///< of each kind
  std::chrono::seconds settle{40};  ///< before memory is read
  unsigned calls = 300;             ///< of BPF_PROG_TEST_RUN for each walk
};

struct SyncRow {
  std::string what;
  std::string unit;
  Summary value;
};

/// How soon the node table is right, with both families: after a start that knows nothing, after
/// changes of one node, and after a restart; and what it costs in memory, and a packet. Runs in the
/// sandbox. Errors: ETIMEDOUT with the daemon's log.
Result<std::vector<SyncRow>> measure_sync(const SyncOptions& options);

}  // namespace kubecni::bench
