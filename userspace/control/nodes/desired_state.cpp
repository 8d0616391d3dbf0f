#include "control/nodes/desired_state.hpp"

#include "control/nodes/tunnel_device.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ranges>
#include <set>
#include <string>

namespace kubecni {

namespace {

kubecni_node local_entry() { return {.kind = KUBECNI_NODE_LOCAL}; }

kubecni_node entry_for(const PeerPath& path, const Underlay& underlay) {
  kubecni_node entry{.kind = KUBECNI_NODE_DIRECT,
                     .egress_ifindex = path.device.ifindex,
                     .mtu = path.mtu,
                     .next_hop_family = static_cast<__u16>(path.next_hop.family())};
  std::copy_n(path.next_hop.data(), path.next_hop.bytes(), entry.next_hop);
  if (path.kind == PathKind::kDirect) return entry;
  entry.kind = KUBECNI_NODE_VXLAN;
  entry.vni = underlay.tunnel->vni;
  const std::uint16_t port = htons(underlay.tunnel->port);
  std::memcpy(entry.tunnel_port, &port, sizeof(port));
  std::ranges::copy(path.tunnel_mac.bytes, entry.tunnel_mac);
  std::ranges::copy(underlay.tunnel->mac.bytes, entry.own_tunnel_mac);
  // Nodes take tunnel packets from each other's InternalIPs alone.
  const auto own = own_endpoint(path.next_hop.family(), underlay);
  if (!own) return entry;
  std::copy_n(own->data(), own->bytes(), entry.own_endpoint);
  // The tunnel device computes the checksums that the NIC cannot.
  if (underlay.tunnel->leaves_checksums) entry.outer_ifindex = path.outer_ifindex;
  return entry;
}

/// The next hop on the tunnel device. It only has to lead to the MAC of the other end,
/// by a neighbour that is set for good. A link-local address does for both families,
/// but where nothing is IPv6, a kernel without it has to do, too.
IpAddr tunnel_gateway(const PeerPath& path) {
  if (path.cidr.addr.is_v4() && path.next_hop.is_v4()) return path.next_hop;
  return path.tunnel_mac.link_local();
}

Route route_for(const IpNet& dst, const PeerPath& path, const Underlay& underlay) {
  const int family = dst.addr.family();
  Route route{.dst = dst,
              .gateway = path.next_hop,
              .ifindex = path.device.ifindex,
              .protocol = kRouteProtocol,
              .metric = family == AF_INET6 ? kDefaultMetric6 : 0,
              .encap = {},
              .source = {}};
  if (path.kind == PathKind::kDirect) return route;
  route.gateway = tunnel_gateway(path);
  route.onlink = true;
  route.encap = Encap{.remote = path.next_hop,
                      .id = underlay.tunnel->vni,
                      .local = own_endpoint(path.next_hop.family(), underlay)};
  // This node's own packets there; else the kernel takes any address of any device.
  route.source = own_endpoint(family, underlay);
  return route;
}

void add_route(const Route& route, DesiredState& state) {
  state.routes.emplace(RouteKey{route.table, route.dst}, route);
}

void add_tunnel_neighbour(const PeerPath& path, DesiredState& state) {
  const IpAddr gateway = tunnel_gateway(path);
  state.neighbours.emplace(gateway, Neighbour{path.device.ifindex, gateway, path.tunnel_mac});
}

/// When the kernel asks for the way back of a packet, its destination is the source: a pod of this
/// node, or an address of the node, of which it asks as if it sent itself.
void add_way_back_rules(const Underlay& underlay, DesiredState& state) {
  Rule rule{.family = AF_INET,
            .iif = "lo",
            .from = std::nullopt,
            .mark = KUBECNI_MARK_REMOTE,
            .table = kWayBackTable,
            .priority = kWayBackRulePriority,
            .protocol = kRouteProtocol};
  state.rules.insert(rule);
  rule.iif.clear();
  for (const IpNet& cidr : underlay.own_cidrs) {
    rule.from = cidr;
    if (cidr.addr.is_v4()) state.rules.insert(rule);
  }
}

/// The device by which a peer behind the tunnel, and its pods, send if the peer does not use it.
void add_way_back(const Node& peer, const IpNet& cidr, const Underlay& underlay,
                  DesiredState& state) {
  const auto address = std::ranges::find(peer.internal_ips, AF_INET, &IpAddr::family);
  if (!cidr.addr.is_v4() || address == peer.internal_ips.end()) return;
  const Way* way = find_way(*address, underlay.ways);
  if (!way || !underlay.strict_devices.contains(way->device.name)) return;
  for (const IpNet& dst : {cidr, IpNet{*address, address->bits()}})
    add_route({.dst = dst,
               .gateway = way->gateway,
               .ifindex = way->device.ifindex,
               .protocol = kRouteProtocol,
               .table = kWayBackTable,
               .onlink = way->gateway.has_value(),
               .encap = {},
               .source = {}},
              state);
  add_way_back_rules(underlay, state);
}

/// BIRD's own route comes first. Behind it is the way through the tunnel.
void add_reserve(const Node& peer, const IpNet& cidr, const Underlay& underlay,
                 DesiredState& state) {
  const auto reserve = reserve_path(peer, cidr, underlay);
  if (!reserve) return;
  add_route(route_for(cidr, *reserve, underlay), state);
  add_tunnel_neighbour(*reserve, state);
  state.mtu = std::min(state.mtu, reserve->mtu);
}

/// Of each family that pods have somewhere.
void add_bgp_rules(const ClusterView& view, DesiredState& state) {
  std::vector<IpNet> cidrs;
  if (view.self) cidrs = view.self->pod_cidrs;
  for (const Node& peer : view.peers)
    cidrs.insert(cidrs.end(), peer.pod_cidrs.begin(), peer.pod_cidrs.end());
  for (const IpNet& cidr : cidrs)
    state.rules.insert({.family = cidr.addr.family(),
                        .iif = {},
                        .from = {},
                        .table = kBgpTable,
                        .priority = kBgpRulePriority,
                        .protocol = kRouteProtocol});
}

/// The node behind a tunnel, for pods: its answers come back by the tunnel, and the
/// underlay may not let a pod's address through. This node's own packets to it, and
/// those of the tunnel itself, go straight. That is one address of each family, so
/// that a node cannot pull traffic into the tunnel by listing more.
void add_node_route(const Node& peer, const PeerPath& path, const Underlay& underlay,
                    const std::string& bridge, DesiredState& state) {
  const int family = path.cidr.addr.family();
  const auto address = std::ranges::find(peer.internal_ips, family, &IpAddr::family);
  if (address == peer.internal_ips.end()) return;
  Route route = route_for({*address, address->bits()}, path, underlay);
  route.table = kNodeTable;
  route.source.reset();
  add_route(route, state);
  Rule rule{.family = family,
            .iif = bridge,
            .from = std::nullopt,
            .table = kNodeTable,
            .priority = kNodeRulePriority,
            .protocol = kRouteProtocol};
  if (underlay.routed_cidrs.empty()) {
    state.rules.insert(rule);
    return;
  }
  rule.iif.clear();
  for (const IpNet& cidr : underlay.routed_cidrs) {
    if (cidr.addr.family() != family) continue;
    rule.from = cidr;
    state.rules.insert(rule);
  }
}

/// In mode ptp there are routes to the addresses that pods have. Without these, packets to all
/// others of the PodCIDR would take the default route, and maybe come back.
void add_routes_to_nobody(const Underlay& underlay, DesiredState& state) {
  for (const IpNet& cidr : underlay.routed_cidrs) {
    add_route({.dst = cidr,
               .gateway = {},
               .ifindex = cidr.addr.is_v4() ? 0 : kLoopbackIfindex,
               .protocol = kRouteProtocol,
               .metric = kDefaultMetric6,  // a bridge that comes back has its route in front
               .unicast = false,
               .encap = {},
               .source = {}},
              state);
  }
}

/// Programs and map entries are for devices whose frames have an Ethernet header.
bool has_ethernet(const Device& device, const Underlay& underlay) {
  const Link* link = find_node_link(device.ifindex, underlay.links);
  return !link || link->has_ethernet;
}

/// The device by which the tunnel's packets leave gets programs, too.
void add_outer_wire(const PeerPath& path, const Underlay& underlay, DesiredState& state) {
  const Link* link = find_node_link(path.outer_ifindex, underlay.links);
  if (link && link->has_ethernet)
    state.wires.emplace(link->name, Device{link->ifindex, link->name});
}

void add_path(const Node& peer, const PeerPath& path, const Underlay& underlay,
              const std::string& bridge, DesiredState& state) {
  const bool by_ebpf = has_ethernet(path.device, underlay);
  if (by_ebpf) state.cidrs.emplace(path.cidr, entry_for(path, underlay));
  if (path.by_bgp)
    add_reserve(peer, path.cidr, underlay, state);
  else
    add_route(route_for(path.cidr, path, underlay), state);
  if (path.kind == PathKind::kVxlan) {
    add_outer_wire(path, underlay, state);
    add_tunnel_neighbour(path, state);
    add_node_route(peer, path, underlay, bridge, state);
    add_way_back(peer, path.cidr, underlay, state);
  } else if (by_ebpf) {
    state.wires.emplace(path.device.name, path.device);
  }
  state.mtu = std::min(state.mtu, path.mtu);
  state.paths.push_back(path);
  if (!by_ebpf) state.paths.back().why += ", by the kernel alone: it has no Ethernet header";
}

/// The devices of the node's own addresses are wires even without a peer, and
/// the smallest MTU on the way to others is that of the pods.
void add_self(const ClusterView& view, const Underlay& underlay, DesiredState& state) {
  state.mtu = underlay_mtu(view, underlay.uplinks);
  if (!view.self) return;
  for (const Uplink& uplink : underlay.uplinks) {
    if (uplink.has_ethernet && std::ranges::find(view.self->internal_ips, uplink.net.addr) !=
                                   view.self->internal_ips.end())
      state.wires.emplace(uplink.device.name, uplink.device);
  }
  for (const IpNet& cidr : view.self->pod_cidrs) state.cidrs.emplace(cidr, local_entry());
  const bool may_use_tunnel = underlay.routing == Routing::kVxlan ||
                              (underlay.routing == Routing::kBgp && underlay.falls_back_to_tunnel);
  if (may_use_tunnel)
    state.mtu = without_vxlan(state.mtu, view.self->internal_ips.front().family());
}

/// Every node of the cluster may send to us by the tunnel, whatever our own way to it is.
void add_tunnel_peer(const Node& peer, const Underlay& underlay, DesiredState& state) {
  if (!underlay.tunnel) return;
  for (const IpAddr& address : peer.internal_ips)
    state.tunnel_peers.emplace(address, kubecni_tunnel_peer{.vni = underlay.tunnel->vni});
}

/// They say that these are all.
void add_tunnel_markers(const Underlay& underlay, DesiredState& state) {
  if (!underlay.tunnel) return;
  for (const int family : {AF_INET, AF_INET6})
    state.tunnel_peers.emplace(IpAddr::any(family), kubecni_tunnel_peer{});
}

void warn_about_self(const ClusterView& view, const Underlay& underlay, DesiredState& state) {
  if (!view.self) return;
  for (const IpAddr& own : view.self->internal_ips) {
    if (std::ranges::find(underlay.local_addresses, own) != underlay.local_addresses.end())
      continue;
    state.warnings.push_back(
        {view.self->name, "InternalIP " + own.str() +
                              " is on no device of this node; set kubelet's --node-ip to an "
                              "address of it by which other nodes reach it"});
  }
}

/// Once for each device that carries pods' packets or has an address of this node.
void warn_about_devices(const ClusterView& view, const Underlay& underlay, DesiredState& state) {
  if (!view.self) return;
  std::set<std::string> named;
  for (const Uplink& uplink : underlay.uplinks) {
    const bool is_own = std::ranges::find(view.self->internal_ips, uplink.net.addr) !=
                        view.self->internal_ips.end();
    const bool is_used = is_own || std::ranges::any_of(state.paths, [&](const PeerPath& path) {
                           return path.device.ifindex == uplink.device.ifindex;
                         });
    if (uplink.has_ethernet || !is_used || !named.insert(uplink.device.name).second) continue;
    state.warnings.push_back(
        {view.self->name,
         "device " + uplink.device.name +
             " has no Ethernet header, so eBPF leaves what goes by it to the kernel"});
  }
}

void warn_about_peer(const Node& peer, const Underlay& underlay, const ClusterRules& rules,
                     DesiredState& state) {
  if (!rules.node_cidrs.empty()) return;
  for (const IpAddr& address : peer.internal_ips) {
    if (!is_public_ipv4({address, address.bits()}) || find_way_on_link(address, underlay)) continue;
    state.warnings.push_back(
        {peer.name, "InternalIP " + address.str() +
                        " is an address in the internet, and on no link of this node; if that "
                        "is meant, name the nodes' networks with --node-cidr"});
  }
}

/// to_wire takes the mark of the programs off their outer packets.
void leave_other_devices_to_the_tunnel(DesiredState& state) {
  for (auto& [cidr, entry] : state.cidrs) {
    const bool is_wire = std::ranges::any_of(
        state.wires, [&](const auto& wire) { return wire.second.ifindex == entry.outer_ifindex; });
    if (!is_wire) entry.outer_ifindex = 0;
  }
}

/// Why the peer's pods are not reached; empty: they are.
std::string add_cidr(const Node& peer, const IpNet& cidr, const Underlay& underlay,
                     const std::string& bridge, DesiredState& state) {
  if (auto harm = why_harmful(cidr, underlay); !harm.empty()) return harm;
  const auto path = choose_path(peer, cidr, underlay);
  if (!path) return path.error();
  add_path(peer, *path, underlay, bridge, state);
  return "";
}

void add_peer(const Node& peer, const Underlay& underlay, const std::string& bridge,
              const ClusterRules& rules, DesiredState& state) {
  add_tunnel_peer(peer, underlay, state);
  warn_about_peer(peer, underlay, rules, state);
  for (const IpNet& cidr : peer.pod_cidrs) {
    const std::string why = add_cidr(peer, cidr, underlay, bridge, state);
    if (!why.empty())
      state.unreachable.push_back({peer.name, "PodCIDR " + cidr.str() + ": " + why});
  }
}

}  // namespace

bool DesiredState::has_ways_back() const {
  return std::ranges::any_of(std::views::keys(routes),
                             [](const RouteKey& key) { return key.first == kWayBackTable; });
}

std::set<std::string> DesiredState::devices_of_ways_back(const std::vector<Link>& links) const {
  std::set<std::string> names;
  for (const auto& [key, route] : routes) {
    const Link* link = key.first == kWayBackTable ? find_node_link(route.ifindex, links) : nullptr;
    if (link) names.insert(link->name);
  }
  return names;
}

DesiredState plan_desired_state(const ClusterView& view, const Underlay& underlay,
                                const std::string& bridge, const ClusterRules& rules) {
  DesiredState state;
  add_self(view, underlay, state);
  add_tunnel_markers(underlay, state);
  if (underlay.routing == Routing::kBgp) add_bgp_rules(view, state);
  warn_about_self(view, underlay, state);
  add_routes_to_nobody(underlay, state);
  for (const Node& peer : view.peers) add_peer(peer, underlay, bridge, rules, state);
  leave_other_devices_to_the_tunnel(state);
  warn_about_devices(view, underlay, state);
  return state;
}

DesiredState plan_peer(const Node& peer, const Underlay& underlay, const std::string& bridge,
                       const ClusterRules& rules, DesiredState state) {
  add_peer(peer, underlay, bridge, rules, state);
  leave_other_devices_to_the_tunnel(state);
  return state;
}

}  // namespace kubecni
