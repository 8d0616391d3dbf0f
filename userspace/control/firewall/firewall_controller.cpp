#include "control/firewall/firewall_controller.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kubecni {

FirewallSpec plan_firewall(const ClusterView& view, const DaemonOptions& options,
                           bool guards_tunnel) {
  FirewallSpec spec{.masquerade = options.masquerade,
                    .own_pods = view.self->pod_cidrs,
                    .cluster_pods = {},
                    .nodes = view.node_addresses,
                    .tunnel_peers = {},
                    .exceptions = options.non_masquerade_cidrs,
                    .tunnel = {options.tunnel.port, options.tunnel.vni},
                    .has_tunnel = true,
                    .guards_tunnel = guards_tunnel};
  for (const auto& [cidr, owner] : view.owners) spec.cluster_pods.push_back(cidr);
  for (const Node& peer : view.peers)
    std::ranges::copy(peer.internal_ips, std::back_inserter(spec.tunnel_peers));
  return spec;
}

void FirewallController::sync(const ClusterView& view, bool guards_tunnel, Outcome& outcome) {
  if (!view.self) return;
  if (!firewall_) {
    auto opened = NodeFirewall::open();
    if (!opened) return outcome.fail(opened.error().what);
    firewall_ = std::move(*opened);
  }
  auto changes = firewall_->sync(plan_firewall(view, options_, guards_tunnel));
  if (!changes) return outcome.fail(changes.error().what);
  outcome.changes.insert(outcome.changes.end(), changes->begin(), changes->end());
}

void FirewallController::clean_up(Outcome& outcome) {
  auto firewall = NodeFirewall::open();
  auto removed = firewall ? firewall->remove() : fail(firewall);
  if (!removed)
    outcome.fail(removed.error().what);
  else if (*removed)
    outcome.changes.emplace_back("nftables table inet kube-cni removed");
}

}  // namespace kubecni
