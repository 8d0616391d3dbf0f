#pragma once

#include "cluster/cluster_view.hpp"
#include "cluster/peer_change.hpp"
#include "control/firewall/forward_rules.hpp"
#include "control/firewall/node_firewall.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"

#include <compare>
#include <optional>
#include <utility>
#include <vector>

namespace kubecni {

/// What netfilter has to do for the other controllers.
struct FirewallDuties {
  bool guards_tunnel = false;  ///< no program checks who sends through the tunnel
  bool marks_remote = false;   ///< a strict rp_filter has to know what comes from other nodes

  auto operator<=>(const FirewallDuties&) const = default;
};

/// What netfilter has to do for this view of the cluster. `view.self` must be known. Pure.
FirewallSpec plan_firewall(const ClusterView& view, const DaemonOptions& options,
                           const FirewallDuties& duties);

/// Keeps the nftables table `inet kube-cni`. It gives packets that leave the cluster the node's
/// address, and guards the tunnel if no program does. Also keeps rules for this node's pods in
/// chains of others that drop forwarded packets. Runs in the node's namespace.
class FirewallController {
 public:
  explicit FirewallController(DaemonOptions options) : options_(std::move(options)) {}

  /// The table stays as it is while this node, and so the inside of the cluster, is not known.
  void sync(const ClusterView& view, const FirewallDuties& duties, Outcome& outcome);
  /// Tells netfilter what other nodes have got, between two calls of sync(): before it knows a
  /// PodCIDR, it would masquerade flows to its pods, for the flows' whole life. False: that needs a
  /// sync().
  bool admit(const std::vector<PeerChange>& changes);
  /// Keeps pods' packets from being dropped by the policy of another's chain, or warns of it.
  void sync_forwarding(const ClusterView& view, Outcome& outcome);

  /// Whether a chain drops pods' packets by its policy, as of the last sync_forwarding().
  [[nodiscard]] bool drops_forwarded() const { return !forward_rules_.doubts().empty(); }

  static void clean_up(Outcome& outcome);

 private:
  DaemonOptions options_;
  std::optional<NodeFirewall> firewall_;
  std::optional<Nftables> nftables_;
  ForwardRules forward_rules_;
};

}  // namespace kubecni
