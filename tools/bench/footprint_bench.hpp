#pragma once

#include "base/result.hpp"
#include "bench/process_usage.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// What `kube-cni-bench footprint` is asked for.
struct FootprintOptions {
  std::filesystem::path programs;  ///< the folder of kube-cni, kube-cnid and kube-cnictl
  std::filesystem::path image;     ///< a container image as a file; empty: none
  unsigned nodes = 5000;           ///< of the large cluster
  unsigned pods = 110;             ///< kubelet's default limit
  /// Before the window. The daemon looks at everything each 10 s.
  std::chrono::seconds settle{15};
  std::chrono::seconds window{60};
};

struct SizeRow {
  std::string name;
  std::uintmax_t bytes;
};

/// The daemon in one scenario.
struct DaemonRow {
  std::string scenario;
  ProcessUsage usage;      ///< at the end of the window
  double cpu_percent = 0;  ///< of one core, during the window
};

struct Footprint {
  std::vector<SizeRow> sizes;
  std::vector<DaemonRow> daemon;
};

/// For the sandbox, where it leaves what it makes. Says on standard error what it does.
Result<Footprint> measure_footprint(const FootprintOptions& options);

}  // namespace kubecni::bench
