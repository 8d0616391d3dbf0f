#pragma once

#include "base/result.hpp"
#include "bench/statistics.hpp"

#include <string>
#include <vector>

namespace kubecni::bench {

/// What a program does with one kind of packet, and for how long.
struct WalkTime {
  std::string program;
  std::string family;  ///< "IPv4", "IPv6"; empty: no IP packet
  std::string walk;
  std::string exit;  ///< the exit reason of every packet
  Summary ns;        ///< of one packet, over the calls
};

/// The options of time_walks().
struct WalkOptions {
  unsigned calls = 300;  ///< of BPF_PROG_TEST_RUN for each walk
  /// PodCIDRs of other nodes of each family, besides those of the walks.
  unsigned more_nodes = 0;
};

/// Runs the real programs with BPF_PROG_TEST_RUN on packets of two pods, a node that is reached
/// directly, and one behind the tunnel. A redirect is only prepared: what the kernel does with the
/// packet after the program is not in the figures. Works in a sandbox (sandbox/sandbox.hpp).
/// Errors: EIO a packet took another exit than its walk has; those of loading.
Result<std::vector<WalkTime>> time_walks(const WalkOptions& options);

}  // namespace kubecni::bench
