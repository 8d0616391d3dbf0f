#include "daemon/probe_targets.hpp"

#include "control/probe/probe_message.hpp"

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

ProbeTarget target_of(const Node& peer, const IpNet& cidr, const PeerPath& path,
                      const Underlay& underlay) {
  ProbeTarget target{.node = peer.name,
                     .address = {},
                     .node_address = {},
                     .by_tunnel = path.kind == PathKind::kVxlan,
                     .direct = {},
                     .tunnel = {}};
  const PathChoice choice = choice_of_paths(peer, cidr, underlay);
  if (choice.tunnel)
    target.tunnel = ProbeTarget::Tunnel{choice.tunnel->next_hop, choice.tunnel->tunnel_mac};
  // With another routing nobody chooses.
  if (choice.direct && underlay.routing == Routing::kAuto)
    target.direct = ProbeTarget::Direct{choice.direct->device.ifindex, choice.direct->next_hop};
  return target;
}

}  // namespace

std::vector<ProbeTarget> plan_probe_targets(const ClusterView& view, const NodesPlan& plan) {
  std::vector<ProbeTarget> targets;
  if (!view.self) return targets;
  std::map<IpNet, const PeerPath*> paths;
  for (const PeerPath& path : plan.desired.paths) paths.emplace(path.cidr, &path);
  for (const Node& peer : view.peers) {
    const auto node_address = node_address_of(peer, *view.self);
    if (!node_address) continue;
    for (const IpNet& cidr : first_of_each_family(peer.pod_cidrs)) {
      const auto path = paths.find(cidr);
      const auto address = probe_address_of(cidr);
      const bool has_family = std::ranges::any_of(view.self->pod_cidrs, [&](const IpNet& own) {
        return own.addr.family() == cidr.addr.family();
      });
      if (path == paths.end() || !address || !has_family) continue;
      targets.push_back(target_of(peer, cidr, *path->second, plan.underlay));
      targets.back().address = *address;
      targets.back().node_address = *node_address;
    }
  }
  return targets;
}

}  // namespace kubecni
