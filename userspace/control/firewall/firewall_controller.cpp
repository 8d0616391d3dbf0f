#include "control/firewall/firewall_controller.hpp"

#include "state/attachment.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace kubecni {

FirewallSpec plan_firewall(const ClusterView& view, const DaemonOptions& options,
                           const FirewallDuties& duties) {
  FirewallSpec spec{.masquerade = options.masquerade,
                    .own_pods = view.self->pod_cidrs,
                    .cluster_pods = {},
                    .nodes = view.node_addresses,
                    .tunnel_peers = {},
                    .exceptions = options.non_masquerade_cidrs,
                    .tunnel = {options.tunnel.port, options.tunnel.vni},
                    .has_tunnel = true,
                    .guards_tunnel = duties.guards_tunnel,
                    .marks_remote = duties.marks_remote};
  for (const auto& [cidr, owner] : view.owners) spec.cluster_pods.push_back(cidr);
  for (const Node& peer : view.peers)
    std::ranges::copy(peer.internal_ips, std::back_inserter(spec.tunnel_peers));
  return spec;
}

void FirewallController::sync(const ClusterView& view, const FirewallDuties& duties,
                              Outcome& outcome) {
  if (!view.self) return;
  if (!firewall_) {
    auto opened = NodeFirewall::open();
    if (!opened) return outcome.fail(opened.error().what);
    firewall_ = std::move(*opened);
  }
  auto changes = firewall_->sync(plan_firewall(view, options_, duties));
  if (!changes) return outcome.fail(changes.error().what);
  outcome.changes.insert(outcome.changes.end(), changes->begin(), changes->end());
}

bool FirewallController::admit(const std::vector<PeerChange>& changes) {
  FirewallPeers peers;
  for (const PeerChange& change : changes) {
    if (!change.after) continue;
    const auto& [name, internal_ips, pod_cidrs] = *change.after;
    std::ranges::copy(pod_cidrs, std::back_inserter(peers.cluster_pods));
    std::ranges::copy(first_of_each_family(internal_ips), std::back_inserter(peers.nodes));
    std::ranges::copy(internal_ips, std::back_inserter(peers.tunnel_peers));
  }
  return peers.empty() || (firewall_ && firewall_->admit(peers));
}

void FirewallController::sync_forwarding(const ClusterView& view, Outcome& outcome) {
  if (!view.self) return;
  if (!nftables_) {
    auto opened = Nftables::open();
    // Without netfilter nothing drops.
    if (!opened && opened.error().code == EPROTONOSUPPORT) return;
    if (!opened) return outcome.fail(opened.error().what);
    nftables_ = std::move(*opened);
  }
  // Pods that were there before the mode changed stay on the bridge.
  std::vector<std::string> devices{options_.bridge};
  if (options_.is_ptp()) devices.insert(devices.end(), {kHostIfnames, kProbePortName});
  auto report = forward_rules_.sync(*nftables_, {.accepts = options_.forward_rules,
                                                 .devices = std::move(devices),
                                                 .pods = view.self->pod_cidrs});
  if (!report) return outcome.fail(report.error().what);
  outcome.changes.insert(outcome.changes.end(), report->changes.begin(), report->changes.end());
  for (const std::string& doubt : report->doubts)
    outcome.say(ConditionKind::kNodeDoubtful, doubt, view.self->name);
}

namespace {

void remove_forward_rules(Outcome& outcome) {
  auto nftables = Nftables::open();
  if (!nftables && nftables.error().code == EPROTONOSUPPORT) return;
  auto report = nftables ? ForwardRules().sync(*nftables, {}) : fail(nftables);
  if (!report) return outcome.fail(report.error().what);
  outcome.changes.insert(outcome.changes.end(), report->changes.begin(), report->changes.end());
}

}  // namespace

void FirewallController::clean_up(Outcome& outcome) {
  remove_forward_rules(outcome);
  auto firewall = NodeFirewall::open();
  auto removed = firewall ? firewall->remove() : fail(firewall);
  if (!removed)
    outcome.fail(removed.error().what);
  else if (*removed)
    outcome.changes.emplace_back("nftables table inet kube-cni removed");
}

}  // namespace kubecni
