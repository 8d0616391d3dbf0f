#include "net/route.hpp"

#include "net/netlink_request.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {

namespace {

rtmsg header_of(const Route& route) {
  return {.rtm_family = AF_INET,
          .rtm_dst_len = static_cast<std::uint8_t>(route.dst.prefix),
          .rtm_table = RT_TABLE_MAIN,
          .rtm_protocol = route.protocol,
          .rtm_scope = static_cast<std::uint8_t>(route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK),
          .rtm_type = RTN_UNICAST};
}

void put_route(NetlinkRequest& request, const Route& route) {
  if (route.dst.prefix != 0) request.put(RTA_DST, route.dst.addr);
  if (route.gateway) request.put(RTA_GATEWAY, *route.gateway);
  request.put(RTA_OIF, std::uint32_t{route.ifindex});
}

/// Empty for what is no IPv4 route of the main table.
std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(message));
  const Attributes<RTA_MAX> attributes(message, info);
  const unsigned table = attributes[RTA_TABLE] ? attributes.u32(RTA_TABLE) : info->rtm_table;
  if (info->rtm_family != AF_INET || table != RT_TABLE_MAIN) return std::nullopt;
  Route route;
  route.dst.addr = attributes.ipv4(RTA_DST).value_or(IpAddr::v4({0, 0, 0, 0}));
  route.dst.prefix = info->rtm_dst_len;
  route.gateway = attributes.ipv4(RTA_GATEWAY);
  route.ifindex = attributes.u32(RTA_OIF);
  route.protocol = info->rtm_protocol;
  route.metric = attributes.u32(RTA_PRIORITY);
  route.unicast = info->rtm_type == RTN_UNICAST;
  return route;
}

}  // namespace

Result<> ensure_route(NetlinkSocket& netlink, const Route& route) {
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, header_of(route));
  put_route(request, route);
  return request.exchange(netlink, "add route to " + route.dst.str() +
                                       (route.gateway ? " via " + route.gateway->str() : ""));
}

Result<> delete_route(NetlinkSocket& netlink, const Route& route) {
  NetlinkRequest request(RTM_DELROUTE, 0, header_of(route));
  put_route(request, route);
  auto done = request.exchange(netlink, "delete route to " + route.dst.str());
  if (!done && done.error().code == ESRCH) return {};
  return done;
}

Result<std::vector<Route>> list_routes(NetlinkSocket& netlink) {
  std::vector<Route> routes;
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP, rtmsg{.rtm_family = AF_INET});
  auto done = request.dump(
      netlink, "list routes", [&] { routes.clear(); },
      [&](const nlmsghdr* message) {
        if (auto route = parse_route(message)) routes.push_back(*route);
      });
  if (!done) return fail(done);
  return routes;
}

}  // namespace kubecni
