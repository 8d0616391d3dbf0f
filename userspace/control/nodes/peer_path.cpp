#include "control/nodes/peer_path.hpp"

#include "base/text.hpp"
#include "state/attachment.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace kubecni {

namespace {

/// In mode ptp the host end of a pod has the gateway's address.
bool is_gateway_of_routed_pod(const Link& link) {
  return is_host_ifname(link.name) || link.name == kProbePortName;
}

std::string family_name(const IpAddr& address) { return address.is_v4() ? "IPv4" : "IPv6"; }

PeerPath direct_path(const Node& peer, const IpNet& cidr, const IpAddr& address, const Way& way,
                     std::string why) {
  return {.node = peer.name,
          .cidr = cidr,
          .kind = PathKind::kDirect,
          .next_hop = way.gateway.value_or(address),
          .device = way.device,
          .mtu = way.mtu,
          .tunnel_mac = {},
          .why = std::move(why)};
}

std::optional<PeerPath> on_link_path(const Node& peer, const IpNet& cidr,
                                     const Underlay& underlay) {
  for (const IpAddr& address : peer.internal_ips) {
    const Way* way = find_way_on_link(address, underlay);
    if (way && address.family() == cidr.addr.family())
      return direct_path(peer, cidr, address, *way, "on the network of " + way->device.name);
  }
  return std::nullopt;
}

std::optional<PeerPath> routed_path(const Node& peer, const IpNet& cidr, const Underlay& underlay) {
  for (const IpAddr& address : peer.internal_ips) {
    const Way* way = find_way(address, underlay.ways);
    if (way && address.family() == cidr.addr.family())
      return direct_path(
          peer, cidr, address, *way,
          "--routing direct, and the router towards " + address.str() + " has to know the PodCIDR");
  }
  return std::nullopt;
}

/// By the route that BIRD has learned. One to a part of the PodCIDR, or to more, is not taken: it
/// is not what a node announces.
std::optional<PeerPath> bgp_path(const Node& peer, const IpNet& cidr, const Underlay& underlay) {
  for (const Route& route : underlay.routes) {
    const bool is_learned = route.table == kBgpTable && route.protocol == RTPROT_BIRD &&
                            route.dst == cidr && route.unicast && route.gateway && !route.encap;
    const Link* link = is_learned ? find_node_link(route.ifindex, underlay.links) : nullptr;
    if (!link) continue;
    return PeerPath{.node = peer.name,
                    .cidr = cidr,
                    .kind = PathKind::kDirect,
                    .next_hop = *route.gateway,
                    .device = {link->ifindex, link->name},
                    .mtu = link->mtu,
                    .tunnel_mac = {},
                    .by_bgp = true,
                    .why = "BGP"};
  }
  return std::nullopt;
}

/// The MTU of the way to `endpoint`; where there is none, of the smallest uplink.
unsigned mtu_towards(const IpAddr& endpoint, const Underlay& underlay) {
  if (const Way* way = find_way(endpoint, underlay.tunnel_ways)) return way->mtu;
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
  const Way* way = find_way(*endpoint, underlay.tunnel_ways);
  return PeerPath{.node = peer.name,
                  .cidr = cidr,
                  .kind = PathKind::kVxlan,
                  .next_hop = *endpoint,
                  .device = underlay.tunnel->device,
                  .mtu = mtu,
                  .tunnel_mac = tunnel_mac_of(peer),
                  .outer_ifindex = way ? way->device.ifindex : 0,
                  .why = std::move(why)};
}

}  // namespace

MacAddr tunnel_mac_of(const Node& node) { return MacAddr::derived_from(node.internal_ips.front()); }

const Link* find_node_link(unsigned ifindex, const std::vector<Link>& links) {
  const auto found = std::ranges::find(links, ifindex, &Link::ifindex);
  return found == links.end() ? nullptr : &*found;
}

const Way* find_way(const IpAddr& address, const Ways& ways) {
  const auto found = ways.find(address);
  return found == ways.end() ? nullptr : &found->second;
}

const Way* find_way_on_link(const IpAddr& address, const Underlay& underlay) {
  const Way* way = find_way(address, underlay.ways);
  if (!way || way->gateway) return nullptr;
  const bool is_in_network = std::ranges::any_of(underlay.uplinks, [&](const Uplink& uplink) {
    return uplink.device.ifindex == way->device.ifindex && uplink.net.contains(address);
  });
  return way->has_ethernet || is_in_network ? way : nullptr;
}

std::optional<IpAddr> own_endpoint(int family, const Underlay& underlay) {
  const auto& local = underlay.local_addresses;
  for (const IpAddr& own : underlay.own_addresses)
    if (own.family() == family && std::ranges::find(local, own) != local.end()) return own;
  return std::nullopt;
}

const IpAddr* find_endpoint(const Node& peer, const std::vector<IpAddr>& own_addresses) {
  for (const IpAddr& own : own_addresses) {
    for (const IpAddr& address : peer.internal_ips) {
      const bool is_own = std::ranges::find(own_addresses, address) != own_addresses.end();
      if (address.family() == own.family() && !is_own) return &address;
    }
  }
  return nullptr;
}

std::vector<Link> find_node_links(std::vector<Link> links, const std::string& bridge) {
  std::erase_if(links, [&](const Link& link) {
    return !link.up || link.name == bridge || link.name == kTunnelName ||
           link.ifindex == kLoopbackIfindex || is_gateway_of_routed_pod(link);
  });
  return links;
}

std::vector<Uplink> find_uplinks(const std::vector<Link>& links,
                                 const std::vector<LinkAddress>& addresses) {
  std::vector<Uplink> uplinks;
  for (const LinkAddress& address : addresses) {
    const Link* link = find_node_link(address.ifindex, links);
    if (address.net.addr.is_link_local() || !link) continue;
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
    const bool counts = route.gateway && route.table != kBgpTable &&
                        route.protocol != kRouteProtocol &&
                        find_node_link(route.ifindex, underlay.links);
    if (counts && cidr.contains(*route.gateway))
      return "contains " + route.gateway->str() + ", the router of this node towards " +
             route.dst.str();
  }
  return "";
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
                         ", and no route leads there; add a route, or use --routing auto");
}

}  // namespace kubecni
