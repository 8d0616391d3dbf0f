#pragma once

#include "metrics/family.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace kubecni {

/// Of network policies.
struct PolicyCounts {
  std::size_t known = 0;     ///< in the whole cluster
  std::size_t broken = 0;    ///< that cannot be enforced
  std::size_t isolated = 0;  ///< pods of this node
  std::size_t closed = 0;    ///< likewise, since nothing is known of them
  double seconds_to_force = 0;
};

/// A summary of what one round of the daemon's loop found and did.
struct Round {
  bool reconciled = false;        ///< false: the cluster is not known, and nothing was done
  std::string dataplane;          ///< "ebpf" or "bridge"
  std::size_t known_nodes = 0;    ///< with a PodCIDR, also this one
  std::size_t skipped_nodes = 0;  ///< of which something cannot be used
  // PodCIDRs of other nodes, by what the test of them found:
  std::size_t answering_peers = 0;
  std::size_t silent_peers = 0;
  std::size_t unknown_peers = 0;
  std::size_t detours = 0;  ///< reached through the tunnel since direct does not get through
  std::size_t changes = 0;
  std::size_t errors = 0;
  PolicyCounts policies;
  std::string not_ready;  ///< why the node cannot take pods; empty: it can
};

/// The metrics of the loop itself. Only the loop's thread adds; any thread may collect.
class LoopMetrics {
 public:
  LoopMetrics();

  /// `duration`: of the whole round.
  void add(const Round& round, std::chrono::duration<double> duration);
  [[nodiscard]] Families collect() const { return registry_.Collect(); }

 private:
  prometheus::Registry registry_;
  // All of these belong to the registry.
  prometheus::Histogram& duration_;
  prometheus::Counter& changes_;
  prometheus::Counter& errors_;
  prometheus::Gauge& last_errors_;
  prometheus::Gauge& last_success_;
  prometheus::Gauge& known_nodes_;
  prometheus::Gauge& skipped_nodes_;
  prometheus::Gauge& answering_;
  prometheus::Gauge& silent_;
  prometheus::Gauge& unknown_;
  prometheus::Gauge& detours_;
  prometheus::Gauge& policies_;
  prometheus::Gauge& broken_policies_;
  prometheus::Gauge& isolated_pods_;
  prometheus::Gauge& closed_pods_;
  prometheus::Gauge& seconds_to_force_;
  prometheus::Gauge& ebpf_;
  prometheus::Gauge& bridge_;
};

}  // namespace kubecni
