#include "net/route.hpp"

#include "net/netlink_request.hpp"

#include <endian.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace kubecni {

namespace {

constexpr std::uint8_t kTunnelTtl = 64;

rtmsg header_of(const Route& route) {
  return {.rtm_family = static_cast<std::uint8_t>(route.dst.addr.family()),
          .rtm_dst_len = static_cast<std::uint8_t>(route.dst.prefix),
          .rtm_table = RT_TABLE_UNSPEC,  // an attribute has it
          .rtm_protocol = route.protocol,
          .rtm_scope = static_cast<std::uint8_t>(route.gateway || !route.unicast ? RT_SCOPE_UNIVERSE
                                                                                 : RT_SCOPE_LINK),
          .rtm_type = static_cast<std::uint8_t>(route.unicast ? RTN_UNICAST : RTN_UNREACHABLE),
          .rtm_flags = route.onlink ? unsigned{RTNH_F_ONLINK} : 0};
}

// The same for both kinds of encapsulation, so one function serves both.
static_assert(int{LWTUNNEL_IP_ID} == int{LWTUNNEL_IP6_ID} &&
              int{LWTUNNEL_IP_DST} == int{LWTUNNEL_IP6_DST} &&
              int{LWTUNNEL_IP_SRC} == int{LWTUNNEL_IP6_SRC} &&
              int{LWTUNNEL_IP_TTL} == int{LWTUNNEL_IP6_HOPLIMIT});

/// No flags: that means an outer UDP checksum of 0.
void put_encap(NetlinkRequest& request, const Encap& encap) {
  request.put(RTA_ENCAP_TYPE, encap.remote.is_v4() ? std::uint16_t{LWTUNNEL_ENCAP_IP}
                                                   : std::uint16_t{LWTUNNEL_ENCAP_IP6});
  request.nest(RTA_ENCAP, [&] {
    request.put(LWTUNNEL_IP_ID, std::uint64_t{::htobe64(encap.id)});
    request.put(LWTUNNEL_IP_DST, encap.remote);
    if (encap.local) request.put(LWTUNNEL_IP_SRC, *encap.local);
    request.put(LWTUNNEL_IP_TTL, kTunnelTtl);
  });
}

/// A gateway of another family than the route's is in RTA_VIA, with its family.
void put_gateway(NetlinkRequest& request, const Route& route) {
  const IpAddr& gateway = *route.gateway;
  if (gateway.family() == route.dst.addr.family()) return request.put(RTA_GATEWAY, gateway);
  std::uint8_t via[sizeof(rtvia) + 16];
  const auto family = static_cast<sa_family_t>(gateway.family());
  std::memcpy(via, &family, sizeof(family));
  std::memcpy(via + sizeof(family), gateway.data(), gateway.bytes());
  request.put(RTA_VIA, via, sizeof(family) + gateway.bytes());
}

void put_route(NetlinkRequest& request, const Route& route) {
  if (route.dst.prefix != 0) request.put(RTA_DST, route.dst.addr);
  if (route.gateway) put_gateway(request, route);
  if (route.encap) put_encap(request, *route.encap);
  if (route.source) request.put(RTA_PREFSRC, *route.source);
  if (route.ifindex != 0) request.put(RTA_OIF, std::uint32_t{route.ifindex});
  request.put(RTA_TABLE, std::uint32_t{route.table});
  if (route.metric != 0) request.put(RTA_PRIORITY, std::uint32_t{route.metric});
}

/// "10.1.2.0/24 via 192.0.2.1 dev 7", as an error says it.
std::string describe(const Route& route) {
  std::string text = route.dst.str();
  if (route.encap)
    text += " encap id " + std::to_string(route.encap->id) + " to " + route.encap->remote.str();
  if (route.gateway) text += " via " + route.gateway->str();
  text += " dev " + std::to_string(route.ifindex);
  if (route.source) text += " src " + route.source->str();
  return text;
}

/// Empty for an encapsulation other than IP, like MPLS.
std::optional<Encap> parse_encap(const Attributes<RTA_MAX>& attributes) {
  const auto type = attributes.u16(RTA_ENCAP_TYPE);
  if (type != LWTUNNEL_ENCAP_IP && type != LWTUNNEL_ENCAP_IP6) return std::nullopt;
  const Attributes<LWTUNNEL_IP_MAX> encap(attributes[RTA_ENCAP]);
  const auto remote = encap.ip(LWTUNNEL_IP_DST);
  if (!remote) return std::nullopt;
  auto local = encap.ip(LWTUNNEL_IP_SRC);
  if (local == IpAddr::any(remote->family())) local.reset();
  return Encap{.remote = *remote,
               .id = static_cast<std::uint32_t>(::be64toh(encap.u64(LWTUNNEL_IP_ID))),
               .local = local};
}

std::optional<IpAddr> parse_gateway(const Attributes<RTA_MAX>& attributes) {
  nlattr* via = attributes[RTA_VIA];
  std::uint8_t bytes[sizeof(sa_family_t) + 16];
  if (!via || nla_len(via) != sizeof(bytes)) return attributes.ip(RTA_GATEWAY);
  nla_memcpy(bytes, via, sizeof(bytes));
  std::uint8_t addr[16];
  std::memcpy(addr, bytes + sizeof(sa_family_t), sizeof(addr));
  return IpAddr::v6(addr);
}

/// Empty if it is not a route of an IP family, or one of the kernel's own.
std::optional<Route> parse_route(const nlmsghdr* message) {
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(message));
  const Attributes<RTA_MAX> attributes(message, info);
  const unsigned table = attributes[RTA_TABLE] ? attributes.u32(RTA_TABLE) : info->rtm_table;
  const bool is_ip = info->rtm_family == AF_INET || info->rtm_family == AF_INET6;
  if (!is_ip || table == RT_TABLE_LOCAL) return std::nullopt;
  Route route;
  route.dst.addr = attributes.ip(RTA_DST).value_or(IpAddr::any(info->rtm_family));
  route.dst.prefix = info->rtm_dst_len;
  route.gateway = parse_gateway(attributes);
  route.ifindex = attributes.u32(RTA_OIF);
  route.protocol = info->rtm_protocol;
  route.metric = attributes.u32(RTA_PRIORITY);
  route.table = table;
  route.unicast = info->rtm_type == RTN_UNICAST;
  route.onlink = info->rtm_flags & RTNH_F_ONLINK;
  route.encap = parse_encap(attributes);
  route.source = attributes.ip(RTA_PREFSRC);
  return route;
}

/// No route, or one that refuses; EINVAL: also a blackhole, or the source is not this node's.
bool is_no_route(int code) {
  return code == ENETUNREACH || code == EHOSTUNREACH || code == EACCES || code == EINVAL ||
         code == EOPNOTSUPP || code == EAFNOSUPPORT;  // the last two: the kernel has no IPv6
}

Result<> new_route(NetlinkSocket& netlink, const Route& route, int flags) {
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | flags, header_of(route));
  put_route(request, route);
  return request.exchange(netlink, "add route to " + describe(route));
}

}  // namespace

Result<> ensure_route(NetlinkSocket& netlink, const Route& route) {
  return new_route(netlink, route, NLM_F_REPLACE);
}

Result<> add_route(NetlinkSocket& netlink, const Route& route) {
  return new_route(netlink, route, NLM_F_EXCL);
}

Result<> prepend_route4(NetlinkSocket& netlink, const Route& route) {
  return new_route(netlink, route, 0);
}

Result<> delete_route(NetlinkSocket& netlink, const Route& route) {
  NetlinkRequest request(RTM_DELROUTE, 0, header_of(route));
  put_route(request, route);
  auto done = request.exchange(netlink, "delete route to " + describe(route));
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

Result<std::optional<NextHop>> find_next_hop(NetlinkSocket& netlink, const IpAddr& address,
                                             const std::optional<IpAddr>& source) {
  const auto bits = static_cast<std::uint8_t>(address.bits());
  NetlinkRequest request(RTM_GETROUTE, 0,
                         rtmsg{.rtm_family = static_cast<std::uint8_t>(address.family()),
                               .rtm_dst_len = bits,
                               .rtm_src_len = source ? bits : std::uint8_t{0}});
  request.put(RTA_DST, address);
  if (source) request.put(RTA_SRC, *source);
  std::optional<NextHop> found;
  auto done = request.exchange(netlink, "find the next hop to " + address.str(),
                               [&](const nlmsghdr* message) {
                                 const auto route = parse_route(message);
                                 if (route && route->unicast)
                                   found = {route->ifindex, route->gateway, route->source};
                               });
  if (!done && !is_no_route(done.error().code)) return fail(done);
  return found;
}

}  // namespace kubecni
