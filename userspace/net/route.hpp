#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace kubecni {

/// The protocol number of every route and rule that kube-cnid makes, to tell its own from foreign
/// ones: `ip route show proto 84`.
inline constexpr unsigned char kRouteProtocol = 84;

/// The table of the routes that BIRD learns: `ip route show table 85`. Nobody else's BIRD looks
/// there.
inline constexpr unsigned kBgpTable = 85;

/// The kernel's default metric for an IPv6 route; for IPv4 it is 0.
inline constexpr unsigned kDefaultMetric6 = 1024;

/// The tunnel endpoint of a route's packets; the device takes the key from the packet (lightweight
/// tunnel, kernel 4.3).
struct Encap {
  IpAddr remote;
  std::uint32_t id = 0;                        ///< VXLAN network identifier
  std::optional<IpAddr> local = std::nullopt;  ///< outer source; none: the kernel chooses

  auto operator<=>(const Encap&) const = default;
};

/// A route.
struct Route {
  IpNet dst;                      ///< 0.0.0.0/0 and ::/0 are the default routes
  std::optional<IpAddr> gateway;  ///< IPv6 also for an IPv4 destination (RFC 5549, kernel 5.2)
  unsigned ifindex = 0;
  unsigned char protocol = 0;  ///< RTPROT_*
  unsigned metric = 0;
  unsigned table = 254;  ///< RT_TABLE_MAIN
  bool unicast = true;   ///< made with false, it says "unreachable"; listed, also a blackhole
  bool onlink = false;   ///< the gateway need not be in a network of the link
  std::optional<Encap> encap;
  std::optional<IpAddr> source;  ///< preferred source address of the node's own packets

  auto operator<=>(const Route&) const = default;
};

/// Makes `route` the route to its destination, replacing one of the same destination, metric and
/// table. Repeating the call changes nothing. There is no moment without a route, even if only one
/// of the two has a gateway or an encapsulation. Only a lookup of that very instant may find none:
/// one of 300 000, beside replacements without a pause (seen on 6.18).
/// Errors: ENODEV no such link; ENETUNREACH, EHOSTUNREACH, EINVAL the gateway is not on the link,
/// or the node does not have the source address; EOPNOTSUPP the kernel has no lightweight tunnels;
/// EPERM no CAP_NET_ADMIN. Also EINVAL, even with `onlink`, if a route (but the default one) leads
/// to the IPv6 gateway on another link: so use link-local gateways for a tunnel. Source:
/// rtnetlink(7).
Result<> ensure_route(NetlinkSocket& netlink, const Route& route);

/// Adds `route`, unless there is a route of the same destination, metric and table. Errors: EEXIST
/// there is one; else those of ensure_route().
Result<> add_route(NetlinkSocket& netlink, const Route& route);

/// Adds an IPv4 route before those of the same destination, metric and table, if any: packets take
/// the one added last, and the next when that is deleted or its link goes. For IPv6 the kernel
/// would spread packets over them.
/// Errors: EEXIST that very route exists; else those of ensure_route().
Result<> prepend_route4(NetlinkSocket& netlink, const Route& route);

/// Deletes that route; absent is success. For IPv6 the kernel ignores the encapsulation, and the
/// gateway unless `route` has one.
Result<> delete_route(NetlinkSocket& netlink, const Route& route);

/// The routes of both families in all tables, except the kernel's own to local addresses. A route
/// of ensure_route() compares equal to its argument, if that has the metric that the kernel uses
/// (kDefaultMetric6).
Result<std::vector<Route>> list_routes(NetlinkSocket& netlink);

/// Where packets go that this node sends to an address.
struct NextHop {
  unsigned ifindex = 0;
  std::optional<IpAddr> gateway;  ///< none: the address is on the link; IPv6 also for IPv4
  std::optional<IpAddr> source;   ///< that they get, if they have none yet

  auto operator<=>(const NextHop&) const = default;
};

/// Asks the kernel's routes, with all rules and tables, where packets to `address` go that have
/// this `source`, or none yet. Empty: they go nowhere, stay on this node, or it does not have the
/// source.
Result<std::optional<NextHop>> find_next_hop(NetlinkSocket& netlink, const IpAddr& address,
                                             const std::optional<IpAddr>& source = std::nullopt);

}  // namespace kubecni
