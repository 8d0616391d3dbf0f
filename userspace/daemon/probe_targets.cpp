#include "daemon/probe_targets.hpp"

#include "control/probe/probe_message.hpp"
#include "control/probe/probe_pod.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace kubecni {

namespace {

/// Of the family of ours, so that there is a socket to ask from.
std::optional<IpAddr> node_address_of(const Node& peer, const Node& self) {
  for (const IpAddr& own : self.internal_ips) {
    const auto found = std::ranges::find(peer.internal_ips, own.family(), &IpAddr::family);
    if (found != peer.internal_ips.end()) return *found;
  }
  return std::nullopt;
}

ProbeTarget::Tunnel tunnel_of(const PeerPath& path) { return {path.next_hop, path.tunnel_mac}; }

ProbeTarget::Direct direct_of(const PeerPath& path) { return {path.device.ifindex, path.next_hop}; }

/// The ways to `path.cidr`. That which is not taken is looked for only where it could be.
void set_ways(const Node& peer, const PeerPath& path, const Underlay& underlay,
              ProbeTarget& target) {
  target.by_tunnel = path.kind == PathKind::kVxlan;
  const bool is_detour = underlay.detours.contains({peer.name, path.cidr.addr.family()});
  if (target.by_tunnel) target.tunnel = tunnel_of(path);
  // With another routing nobody chooses.
  const bool may_choose = underlay.routing == Routing::kAuto;
  if (!target.by_tunnel && may_choose) target.direct = direct_of(path);
  if (target.by_tunnel && !(may_choose && is_detour)) return;
  const PathChoice choice = choice_of_paths(peer, path.cidr, underlay);
  if (choice.tunnel) target.tunnel = tunnel_of(*choice.tunnel);
  if (choice.direct && may_choose) target.direct = direct_of(*choice.direct);
}

}  // namespace

std::vector<ProbeTarget> plan_probe_targets(const ClusterView& view, const NodesPlan& plan) {
  std::vector<ProbeTarget> targets;
  if (!view.self) return targets;
  const auto own_nets = probe_nets_of(view.self->pod_cidrs);
  std::map<IpNet, const PeerPath*> paths;
  for (const PeerPath& path : plan.desired.paths) paths.emplace(path.cidr, &path);
  for (const Node& peer : view.peers) {
    const auto node_address = node_address_of(peer, *view.self);
    if (!node_address) continue;
    for (const IpNet& cidr : first_of_each_family(peer.pod_cidrs)) {
      const auto path = paths.find(cidr);
      const auto address = probe_address_of(cidr);
      const bool has_family = std::ranges::any_of(
          own_nets, [&](const IpNet& own) { return own.addr.family() == cidr.addr.family(); });
      if (path == paths.end() || !address || !has_family) continue;
      ProbeTarget target{.node = peer.name,
                         .address = *address,
                         .node_address = *node_address,
                         .node_addresses = peer.internal_ips,
                         .direct = {},
                         .tunnel = {}};
      set_ways(peer, *path->second, plan.underlay, target);
      targets.push_back(std::move(target));
    }
  }
  return targets;
}

}  // namespace kubecni
