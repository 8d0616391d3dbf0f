#include "net/route.hpp"

#include "net/netlink_request.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {

namespace {

rtmsg header_of(const Route& route) {
  return {.rtm_family = static_cast<std::uint8_t>(route.dst.addr.family()),
          .rtm_dst_len = static_cast<std::uint8_t>(route.dst.prefix),
          .rtm_table = RT_TABLE_UNSPEC,  // an attribute has it
          .rtm_protocol = route.protocol,
          .rtm_scope = static_cast<std::uint8_t>(route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK),
          .rtm_type = RTN_UNICAST};
}

void put_route(NetlinkRequest& request, const Route& route) {
  if (route.dst.prefix != 0) request.put(RTA_DST, route.dst.addr);
  if (route.gateway) request.put(RTA_GATEWAY, *route.gateway);
  request.put(RTA_OIF, std::uint32_t{route.ifindex});
  request.put(RTA_TABLE, std::uint32_t{route.table});
  if (route.metric != 0) request.put(RTA_PRIORITY, std::uint32_t{route.metric});
}

/// Empty for what is no route of an IP family, or one of the kernel's own.
std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(message));
  const Attributes<RTA_MAX> attributes(message, info);
  const unsigned table = attributes[RTA_TABLE] ? attributes.u32(RTA_TABLE) : info->rtm_table;
  const bool is_ip = info->rtm_family == AF_INET || info->rtm_family == AF_INET6;
  if (!is_ip || table == RT_TABLE_LOCAL) return std::nullopt;
  Route route;
  route.dst.addr = attributes.ip(RTA_DST).value_or(IpAddr::any(info->rtm_family));
  route.dst.prefix = info->rtm_dst_len;
  route.gateway = attributes.ip(RTA_GATEWAY);
  route.ifindex = attributes.u32(RTA_OIF);
  route.protocol = info->rtm_protocol;
  route.metric = attributes.u32(RTA_PRIORITY);
  route.table = table;
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
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP, rtmsg{.rtm_family = AF_UNSPEC});
  auto done = request.dump(
      netlink, "list routes", [&] { routes.clear(); },
      [&](const nlmsghdr* message) {
        if (auto route = parse_route(message)) routes.push_back(*route);
      });
  if (!done) return fail(done);
  return routes;
}

}  // namespace kubecni
