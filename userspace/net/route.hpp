#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <optional>
#include <vector>

namespace kubecni {

/// The protocol number of every route that kube-cnid makes, so that it finds
/// its own again and leaves others alone: `ip route show proto 84`.
inline constexpr unsigned char kRouteProtocol = 84;

/// A route.
struct Route {
  IpNet dst;  ///< 0.0.0.0/0 and ::/0 are the default routes
  std::optional<IpAddr> gateway;
  unsigned ifindex = 0;
  unsigned char protocol = 0;  ///< RTPROT_*
  unsigned metric = 0;
  unsigned table = 254;  ///< RT_TABLE_MAIN
  bool unicast = true;   ///< not a blackhole or the like

  auto operator<=>(const Route&) const = default;
};

/// Makes `route` the route to its destination, in place of one of the same
/// destination, metric and table. Repeating the call changes nothing.
/// Errors: ENODEV no such link; ENETUNREACH, EINVAL the gateway is not on the
/// link; EPERM no CAP_NET_ADMIN. Source: rtnetlink(7).
Result<> ensure_route(NetlinkSocket& netlink, const Route& route);

/// Deletes exactly that route; absent is success.
Result<> delete_route(NetlinkSocket& netlink, const Route& route);

/// The routes of both families in all tables, but for the kernel's own to local
/// addresses.
Result<std::vector<Route>> list_routes(NetlinkSocket& netlink);

}  // namespace kubecni
