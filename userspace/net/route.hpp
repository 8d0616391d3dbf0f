#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace kubecni {

/// The protocol number of every route and rule that kube-cnid makes, so that it
/// finds its own again and leaves others alone: `ip route show proto 84`.
inline constexpr unsigned char kRouteProtocol = 84;

/// The metric that the kernel gives to an IPv6 route that is made without one;
/// IPv4 routes have 0.
inline constexpr unsigned kDefaultMetric6 = 1024;

/// Where a route's packets are tunnelled to, by a device that takes the key from
/// the packet (lightweight tunnel, kernel 4.3).
struct Encap {
  IpAddr remote;
  std::uint32_t id = 0;                        ///< VXLAN network identifier
  std::optional<IpAddr> local = std::nullopt;  ///< outer source; none: the kernel chooses

  auto operator<=>(const Encap&) const = default;
};

/// A route.
struct Route {
  IpNet dst;                      ///< 0.0.0.0/0 and ::/0 are the default routes
  std::optional<IpAddr> gateway;  ///< of IPv6 also for an IPv4 destination (RFC 5549, kernel 5.2)
  unsigned ifindex = 0;
  unsigned char protocol = 0;  ///< RTPROT_*
  unsigned metric = 0;
  unsigned table = 254;  ///< RT_TABLE_MAIN
  bool unicast = true;   ///< not a blackhole or the like
  bool onlink = false;   ///< the gateway need not be in a network of the link
  std::optional<Encap> encap;
  std::optional<IpAddr> source;  ///< preferred source address of the node's own packets

  auto operator<=>(const Route&) const = default;
};

/// Makes `route` the route to its destination, in place of one of the same
/// destination, metric and table. Repeating the call changes nothing.
/// There is no moment without a route, also when only one of the two has a
/// gateway or an encapsulation (seen on 6.18).
/// Errors: ENODEV no such link; ENETUNREACH, EHOSTUNREACH, EINVAL the gateway is
/// not on the link, or the source is no address of the node; EOPNOTSUPP the kernel
/// has no lightweight tunnels; EPERM no CAP_NET_ADMIN. An IPv6 gateway that a route
/// (but for the default one) puts on another link is EINVAL also with `onlink`:
/// a tunnel has to take link-local ones. Source: rtnetlink(7).
Result<> ensure_route(NetlinkSocket& netlink, const Route& route);

/// Adds `route`, to a destination that no route of the same metric and table leads to. Errors:
/// EEXIST one has; else those of ensure_route().
Result<> add_route(NetlinkSocket& netlink, const Route& route);

/// Adds an IPv4 route before those of the same destination, metric and table, if any:
/// packets go by the one that was put there last, and by the next when that is deleted
/// or its link goes. Of IPv6 the kernel would spread packets over them.
/// Errors: EEXIST that very route is there; else those of ensure_route().
Result<> prepend_route4(NetlinkSocket& netlink, const Route& route);

/// Deletes that route; absent is success. Of IPv6 the kernel does not look at the
/// encapsulation, nor at the gateway unless `route` has one.
Result<> delete_route(NetlinkSocket& netlink, const Route& route);

/// The routes of both families in all tables, but for the kernel's own to local
/// addresses. One that ensure_route() made is equal to what it was given, if that
/// has the metric that the kernel uses (kDefaultMetric6).
Result<std::vector<Route>> list_routes(NetlinkSocket& netlink);

}  // namespace kubecni
