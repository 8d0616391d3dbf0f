#pragma once

#include "cluster/cluster_view.hpp"
#include "control/firewall/node_firewall.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"

#include <optional>
#include <utility>

namespace kubecni {

/// What netfilter has to do for this view of the cluster, in which this node is known.
/// `guards_tunnel`: no program checks who sends through the tunnel. Pure.
FirewallSpec plan_firewall(const ClusterView& view, const DaemonOptions& options,
                           bool guards_tunnel);

/// The nftables table that gives what leaves the cluster the node's address, and that guards
/// the tunnel where no program does. Runs in the node's namespace.
class FirewallController {
 public:
  explicit FirewallController(DaemonOptions options) : options_(std::move(options)) {}

  /// While this node is not known, nor who is inside the cluster, the table stays as it is.
  void sync(const ClusterView& view, bool guards_tunnel, Outcome& outcome);

  static void clean_up(Outcome& outcome);

 private:
  DaemonOptions options_;
  std::optional<NodeFirewall> firewall_;
};

}  // namespace kubecni
