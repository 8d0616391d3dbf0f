#pragma once

#include "base/result.hpp"
#include "bench/process_usage.hpp"
#include "bench/statistics.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// The options of `kube-cni-bench footprint`.
struct FootprintOptions {
  std::filesystem::path programs;  ///< the folder of kube-cni, kube-cnid and kube-cnictl
  std::filesystem::path image;     ///< a container image as a file; empty: none
  unsigned nodes = 5000;           ///< in the large cluster
  unsigned pods = 110;             ///< kubelet's default limit
  unsigned cluster_pods = 10000;   ///< with network policies
  unsigned policies = 1000;        ///< for pods of the node
  /// Pause before the window. The daemon looks at everything every 10 s.
  std::chrono::seconds settle{15};
  std::chrono::seconds window{60};
};

struct SizeRow {
  std::string name;
  std::uintmax_t bytes;
};

/// The daemon's figures in one scenario.
struct DaemonRow {
  std::string scenario;
  ProcessUsage usage;        ///< at the end of the window
  double cpu_percent = 0;    ///< of one core, during the window
  double probe_percent = 0;  ///< of it the thread that tests other nodes
};

/// How long it took from a change in the API server until it was in force.
struct DelayRow {
  std::string change;
  Summary ms;
};

struct Footprint {
  std::vector<SizeRow> sizes;
  std::vector<DaemonRow> daemon;
  std::vector<DelayRow> delays;
};

/// Runs in the sandbox, which removes its results. Prints progress to standard error.
Result<Footprint> measure_footprint(const FootprintOptions& options);

}  // namespace kubecni::bench
