#include "control/nodes/peer_path.hpp"

#include "base/text.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace kubecni {

namespace {

constexpr unsigned kLoopbackIfindex = 1;

/// Whether `address` can be that of another host in the network of `uplink`.
bool is_neighbour(const IpAddr& address, const Uplink& uplink) {
  const IpNet& net = uplink.net;
  if (!net.contains(address) || address == net.addr) return false;
  // No network and broadcast address there: RFC 3021, RFC 6164.
  if (net.prefix + 1 >= address.bits()) return true;
  if (address == net.network().addr) return false;
  return !address.is_v4() || address != net.addr.filled(net.prefix);
}

std::string family_name(const IpAddr& address) { return address.is_v4() ? "IPv4" : "IPv6"; }

std::optional<PeerPath> on_link_path(const Node& peer, const IpNet& cidr,
                                     const Underlay& underlay) {
  for (const IpAddr& address : peer.internal_ips) {
    if (address.family() != cidr.addr.family()) continue;
    const Uplink* uplink = find_link_to(address, underlay.uplinks);
    if (!uplink) continue;
    return PeerPath{.node = peer.name,
                    .cidr = cidr,
                    .kind = PathKind::kDirect,
                    .next_hop = address,
                    .device = uplink->device,
                    .mtu = uplink->mtu,
                    .tunnel_mac = {},
                    .why = "on the network of " + uplink->device.name};
  }
  return std::nullopt;
}

std::optional<PeerPath> routed_path(const Node& peer, const IpNet& cidr, const Underlay& underlay) {
  for (const IpAddr& address : peer.internal_ips) {
    if (address.family() != cidr.addr.family()) continue;
    const Route* route = find_route_to(address, underlay.routes);
    const Uplink* uplink = route ? find_uplink(route->ifindex, underlay.uplinks) : nullptr;
    if (!uplink) continue;
    return PeerPath{.node = peer.name,
                    .cidr = cidr,
                    .kind = PathKind::kDirect,
                    .next_hop = *route->gateway,
                    .device = uplink->device,
                    .mtu = uplink->mtu,
                    .tunnel_mac = {},
                    .why = "--routing direct, and the router towards " + address.str() +
                           " has to know the PodCIDR"};
  }
  return std::nullopt;
}

/// By the route that BIRD has learned. One to a part of the PodCIDR, or to more, is not taken: it
/// is not what a node announces.
std::optional<PeerPath> bgp_path(const Node& peer, const IpNet& cidr, const Underlay& underlay) {
  for (const Route& route : underlay.routes) {
    const bool is_learned = route.table == kBgpTable && route.protocol == RTPROT_BIRD &&
                            route.dst == cidr && route.unicast && route.gateway && !route.encap;
    const Uplink* uplink = is_learned ? find_uplink(route.ifindex, underlay.uplinks) : nullptr;
    if (!uplink) continue;
    return PeerPath{.node = peer.name,
                    .cidr = cidr,
                    .kind = PathKind::kDirect,
                    .next_hop = *route.gateway,
                    .device = uplink->device,
                    .mtu = uplink->mtu,
                    .tunnel_mac = {},
                    .by_bgp = true,
                    .why = "BGP"};
  }
  return std::nullopt;
}

/// The peer's first address of the family of our first one, else of the next. Ours are
/// none, also where a Node object of another name has them.
const IpAddr* find_endpoint(const Node& peer, const std::vector<IpAddr>& own_addresses) {
  for (const IpAddr& own : own_addresses) {
    for (const IpAddr& address : peer.internal_ips) {
      const bool is_own = std::ranges::find(own_addresses, address) != own_addresses.end();
      if (address.family() == own.family() && !is_own) return &address;
    }
  }
  return nullptr;
}

/// The device by which `address` is reached; null: not known.
const Uplink* uplink_towards(const IpAddr& address, const Underlay& underlay) {
  if (const Uplink* uplink = find_link_to(address, underlay.uplinks)) return uplink;
  const Route* route = find_route_to(address, underlay.routes);
  return route ? find_uplink(route->ifindex, underlay.uplinks) : nullptr;
}

/// The MTU of that device; where it is not known, of the smallest.
unsigned mtu_towards(const IpAddr& address, const Underlay& underlay) {
  if (const Uplink* uplink = uplink_towards(address, underlay)) return uplink->mtu;
  const auto smallest = std::ranges::min_element(underlay.uplinks, {}, &Uplink::mtu);
  return smallest == underlay.uplinks.end() ? kDefaultMtu : smallest->mtu;
}

std::expected<PeerPath, std::string> tunnel_path(const Node& peer, const IpNet& cidr,
                                                 const Underlay& underlay, std::string why) {
  if (!underlay.tunnel)
    return std::unexpected(why + ", and there is no tunnel: " + underlay.no_tunnel_because);
  const IpAddr* endpoint = find_endpoint(peer, underlay.own_addresses);
  if (!endpoint)
    return std::unexpected(why + ", and a tunnel cannot reach it: each of its addresses (" +
                           joined(peer.internal_ips) +
                           ") is this node's own, or of a family that this node has none of");
  const unsigned mtu = without_vxlan(mtu_towards(*endpoint, underlay), endpoint->family());
  if (!cidr.addr.is_v4() && mtu < kLeastMtu6)
    return std::unexpected(why + ", and a tunnel would leave an MTU of " + std::to_string(mtu) +
                           " bytes, where IPv6 needs " + std::to_string(kLeastMtu6));
  const Uplink* uplink = uplink_towards(*endpoint, underlay);
  return PeerPath{.node = peer.name,
                  .cidr = cidr,
                  .kind = PathKind::kVxlan,
                  .next_hop = *endpoint,
                  .device = underlay.tunnel->device,
                  .mtu = mtu,
                  .tunnel_mac = tunnel_mac_of(peer),
                  .outer_ifindex = uplink ? uplink->device.ifindex : 0,
                  .why = std::move(why)};
}

}  // namespace

MacAddr tunnel_mac_of(const Node& node) { return MacAddr::derived_from(node.internal_ips.front()); }

const Uplink* find_uplink(unsigned ifindex, const std::vector<Uplink>& uplinks) {
  const auto found = std::ranges::find_if(
      uplinks, [&](const Uplink& uplink) { return uplink.device.ifindex == ifindex; });
  return found == uplinks.end() ? nullptr : &*found;
}

const Uplink* find_link_to(const IpAddr& address, const std::vector<Uplink>& uplinks) {
  const Uplink* best = nullptr;
  for (const Uplink& uplink : uplinks) {
    if (is_neighbour(address, uplink) && (!best || uplink.net.prefix > best->net.prefix))
      best = &uplink;
  }
  return best;
}

const Route* find_route_to(const IpAddr& address, const std::vector<Route>& routes) {
  const Route* best = nullptr;
  for (const Route& route : routes) {
    const bool usable = route.table == RT_TABLE_MAIN && route.unicast && route.gateway &&
                        !route.encap && route.protocol != kRouteProtocol &&
                        route.gateway->family() == address.family();
    if (!usable || !route.dst.contains(address)) continue;
    if (!best || route.dst.prefix > best->dst.prefix ||
        (route.dst.prefix == best->dst.prefix && route.metric < best->metric))
      best = &route;
  }
  return best;
}

std::vector<Uplink> find_uplinks(const std::vector<Link>& links,
                                 const std::vector<LinkAddress>& addresses,
                                 const std::string& bridge) {
  std::vector<Uplink> uplinks;
  for (const LinkAddress& address : addresses) {
    const auto link = std::ranges::find(links, address.ifindex, &Link::ifindex);
    if (address.net.addr.is_link_local() || link == links.end() || !link->up ||
        link->name == bridge || link->name == kTunnelName || link->ifindex == kLoopbackIfindex)
      continue;
    uplinks.push_back({{link->ifindex, link->name}, address.net, link->mtu, link->has_ethernet});
  }
  return uplinks;
}

std::string why_harmful(const IpNet& cidr, const Underlay& underlay) {
  for (const Uplink& uplink : underlay.uplinks) {
    if (cidr.contains(uplink.net.addr))
      return "contains " + uplink.net.addr.str() + ", this node's address on " + uplink.device.name;
  }
  for (const Route& route : underlay.routes) {
    const bool counts = route.gateway && route.table == RT_TABLE_MAIN &&
                        route.protocol != kRouteProtocol &&
                        find_uplink(route.ifindex, underlay.uplinks);
    if (counts && cidr.contains(*route.gateway))
      return "contains " + route.gateway->str() + ", the router of this node towards " +
             route.dst.str();
  }
  return "";
}

bool is_on_link(const IpAddr& address, const Underlay& underlay) {
  return find_link_to(address, underlay.uplinks) != nullptr;
}

PathChoice choice_of_paths(const Node& peer, const IpNet& cidr, const Underlay& underlay) {
  auto tunnel = tunnel_path(peer, cidr, underlay, "");
  return {.direct = on_link_path(peer, cidr, underlay),
          .tunnel = tunnel ? std::optional(std::move(*tunnel)) : std::nullopt};
}

std::optional<PeerPath> reserve_path(const Node& peer, const IpNet& cidr,
                                     const Underlay& underlay) {
  if (underlay.routing != Routing::kBgp || !underlay.falls_back_to_tunnel) return std::nullopt;
  auto tunnel = tunnel_path(peer, cidr, underlay, "");
  return tunnel ? std::optional(std::move(*tunnel)) : std::nullopt;
}

std::expected<PeerPath, std::string> choose_path(const Node& peer, const IpNet& cidr,
                                                 const Underlay& underlay) {
  if (underlay.routing == Routing::kBgp) {
    if (auto path = bgp_path(peer, cidr, underlay)) return *path;
    const std::string none = "BIRD has no route to it";
    if (underlay.falls_back_to_tunnel) return tunnel_path(peer, cidr, underlay, none);
    return std::unexpected(none + ", and --bgp-fallback is none");
  }
  if (underlay.routing == Routing::kVxlan)
    return tunnel_path(peer, cidr, underlay, "--routing vxlan");
  if (auto path = on_link_path(peer, cidr, underlay)) {
    const bool is_detour = underlay.routing == Routing::kAuto &&
                           underlay.detours.contains({peer.name, cidr.addr.family()});
    if (!is_detour) return *path;
    auto detour = tunnel_path(peer, cidr, underlay,
                              path->why + ", but packets of pods get through the tunnel alone");
    return detour ? *detour : *path;
  }
  std::string off_link = "none of its addresses (" + joined(peer.internal_ips) + ") is of " +
                         family_name(cidr.addr) + " and on a link of this node";
  if (underlay.routing == Routing::kAuto)
    return tunnel_path(peer, cidr, underlay, std::move(off_link));
  if (auto path = routed_path(peer, cidr, underlay)) return *path;
  return std::unexpected(off_link +
                         ", and no router leads there; add a route, or use --routing auto");
}

}  // namespace kubecni
