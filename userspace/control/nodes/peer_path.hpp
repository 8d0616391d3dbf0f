#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "cluster/node.hpp"
#include "control/options.hpp"
#include "dataplane/hook.hpp"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/route.hpp"
#include "state/node_info.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// The one VXLAN device of a node.
inline constexpr const char* kTunnelName = "kcni.vxlan";

/// What a link needs to carry IPv6, bytes. RFC 8200, section 5.
inline constexpr unsigned kLeastMtu6 = 1280;

/// A device that may lead to other nodes, with one of its networks.
struct Uplink {
  Device device;
  IpNet net;
  unsigned mtu = 0;  ///< bytes
  bool has_ethernet = true;
};

/// Where the kernel sends what goes from this node to an address of another.
struct Way {
  Device device;
  std::optional<IpAddr> gateway;  ///< none: the address is on the device's link
  std::optional<IpAddr> source;   ///< of this node's own packets
  unsigned mtu = 0;               ///< bytes
  bool has_ethernet = true;
};
using Ways = std::map<IpAddr, Way>;  ///< by the address that they lead to

/// This node's tunnel device.
struct Tunnel {
  Device device;
  MacAddr mac;
  std::uint32_t vni = 0;
  std::uint16_t port = 0;         ///< UDP
  bool leaves_checksums = false;  ///< to the NIC, also those of packets in the tunnel
};

/// What this node has to reach others with.
struct Underlay {
  Routing routing = Routing::kAuto;
  std::vector<Uplink> uplinks;
  std::vector<Link> links;                   ///< the devices by which others may be reached
  Ways ways;                                 ///< to other nodes, and to BGP peers
  Ways tunnel_ways;                          ///< to tunnel endpoints, from the own one
  std::vector<Route> routes;                 ///< the kernel's
  std::vector<IpAddr> own_addresses;         ///< InternalIPs of this node
  std::vector<IpAddr> local_addresses = {};  ///< of all devices of this node
  /// Devices of `ways` on which the kernel drops what it would not send back by them (`rp_filter`
  /// is 1).
  std::set<std::string> strict_devices = {};
  std::vector<IpNet> own_cidrs = {};  ///< this node's PodCIDRs
  /// The same in mode ptp: no bridge has them.
  std::vector<IpNet> routed_cidrs = {};
  std::optional<Tunnel> tunnel;
  std::string no_tunnel_because = {};  ///< where there is none
  /// With kAuto: nodes, with the family of their pods, to which no packet of pods gets directly.
  std::set<std::pair<std::string, int>> detours = {};
  /// With kBgp: what BIRD has no route to is reached through the tunnel.
  bool falls_back_to_tunnel = true;
};

enum class PathKind { kDirect, kVxlan };

/// How this node reaches the pods of another.
struct PeerPath {
  std::string node;
  IpNet cidr;
  PathKind kind = PathKind::kDirect;
  IpAddr next_hop;  ///< kDirect: the neighbour; kVxlan: the node's tunnel endpoint
  Device device;
  unsigned mtu = 0;            ///< bytes, of a pod's packet
  MacAddr tunnel_mac;          ///< kVxlan: of the node's tunnel device
  unsigned outer_ifindex = 0;  ///< kVxlan: the device towards the endpoint; 0: not known
  bool by_bgp = false;         ///< kDirect: by a route of BIRD's, in kBgpTable
  std::string why;             ///< a phrase for people
};

inline constexpr unsigned kLoopbackIfindex = 1;

/// Bytes that VXLAN puts around an IP packet: outer IP, UDP, VXLAN and the inner
/// Ethernet header. RFC 7348, section 5.
constexpr unsigned vxlan_overhead(int outer_family) { return outer_family == AF_INET ? 50 : 70; }

/// The MTU inside a tunnel over an underlay with `mtu`, both in bytes; never negative.
constexpr unsigned without_vxlan(unsigned mtu, int outer_family) {
  return mtu - std::min(mtu, vxlan_overhead(outer_family));
}

/// The MAC of a node's tunnel device: derived from the first of its InternalIPs, so
/// that whoever knows the Node object knows it.
MacAddr tunnel_mac_of(const Node& node);

/// The devices over which other nodes may be reached: up, and neither the pods' bridge, nor the
/// tunnel, nor the loopback.
std::vector<Link> find_node_links(std::vector<Link> links, const std::string& bridge);

/// Those of `links` with an address that is not link-local, once for each.
std::vector<Uplink> find_uplinks(const std::vector<Link>& links,
                                 const std::vector<LinkAddress>& addresses);

/// Why a route to the pods `cidr` would take away what this node needs itself: one of its
/// addresses, or a router that it sends to. Empty: it would not. Pure.
std::string why_harmful(const IpNet& cidr, const Underlay& underlay);

/// The one of `links` with this ifindex; null: none. Pure.
const Link* find_node_link(unsigned ifindex, const std::vector<Link>& links);

/// The way to `address`; null: none is known. Pure.
const Way* find_way(const IpAddr& address, const Ways& ways);
/// The same, if `address` is on a link of this node. A route without a router says so, but one by a
/// device without an Ethernet header only where the address is in a network of that device: the
/// default route by such a device has no router, either. Pure.
const Way* find_way_on_link(const IpAddr& address, const Underlay& underlay);

/// The address of this node from which it sends to the tunnel's endpoints of `family`: the first
/// InternalIP, if it is on a device here, also the loopback. Pure.
std::optional<IpAddr> own_endpoint(int family, const Underlay& underlay);
/// The tunnel endpoint of `peer`: its first address of the family of our first one, else of the
/// next. Ours are none, also where a Node object of another name has them. Null: none. Pure.
const IpAddr* find_endpoint(const Node& peer, const std::vector<IpAddr>& own_addresses);

/// The two ways between which kAuto chooses, each if there is one. Pure.
struct PathChoice {
  std::optional<PeerPath> direct;
  std::optional<PeerPath> tunnel;
};
PathChoice choice_of_paths(const Node& peer, const IpNet& cidr, const Underlay& underlay);

/// The way to `cidr` through the tunnel that waits behind a path of BGP: the kernel takes it as
/// soon as BIRD's route is gone. Pure.
std::optional<PeerPath> reserve_path(const Node& peer, const IpNet& cidr, const Underlay& underlay);

/// How the pods `cidr` of `peer` are reached, or why they are not. A direct path needs an address
/// of the peer on a link of this node, or with kDirect any way to one. The address has to be
/// of the pods' family; a tunnel's may be of the other. A detour leads through the tunnel, if there
/// is one. With kBgp only a route that BIRD has learned counts, to exactly `cidr`. Pure.
std::expected<PeerPath, std::string> choose_path(const Node& peer, const IpNet& cidr,
                                                 const Underlay& underlay);

}  // namespace kubecni
