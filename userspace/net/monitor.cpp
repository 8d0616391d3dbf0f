#include "net/monitor.hpp"

#include "net/link_message.hpp"
#include "net/netlink_request.hpp"
#include "net/route.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <tuple>

namespace kubecni {

namespace {

// More than the socket's buffer holds, so one call empties it unless a sender keeps filling it.
constexpr int kMostReads = 1024;

/// The kernel's own routes: to its addresses and to multicast, and on each link to its link-local
/// network. Nothing reads them, and carrier changes remove them.
bool is_route_of_the_kernel(const nlmsghdr* message) {
  static const IpNet kLinkLocal6 = IpNet::parse("fe80::/10").value();
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(message));
  const Attributes<RTA_MAX> attributes(message, info);
  const unsigned table = attributes[RTA_TABLE] ? attributes.u32(RTA_TABLE) : info->rtm_table;
  const auto dst = attributes.ip(RTA_DST);
  return table == RT_TABLE_LOCAL || info->rtm_flags & RTM_F_CLONED ||
         info->rtm_type == RTN_MULTICAST || (dst && kLinkLocal6.contains(*dst));
}

/// A pod can cause this on its end of a veth, and nothing uses it for a veth.
bool is_about_features(const nlmsghdr* message, const Link& link) {
  const Attributes<IFLA_MAX> attributes(message,
                                        static_cast<const ifinfomsg*>(nlmsg_data(message)));
  return attributes.u32(IFLA_EVENT) == IFLA_EVENT_FEATURES && link.kind != "veth";
}

bool is_same(const Link& a, const Link& b) {
  const auto values = [](const Link& link) {
    return std::tie(link.ifindex, link.name, link.kind, link.mac, link.mtu, link.master_ifindex,
                    link.up);
  };
  return values(a) == values(b);
}

/// Lets the kernel drop, before it wakes anybody, what neighbours do that nobody made permanent: an
/// idle node with thousands of peers has hundreds of such notifications a second. Of FDB entries
/// those pass that do not age, and of neighbours those that are permanent, or kube-cni's.
Result<> drop_news_of_other_neighbours(int fd) {
  constexpr unsigned kType = offsetof(nlmsghdr, nlmsg_type);
  constexpr unsigned kFamily = NLMSG_HDRLEN + offsetof(ndmsg, ndm_family);
  constexpr unsigned kState = NLMSG_HDRLEN + offsetof(ndmsg, ndm_state);
  constexpr unsigned kFirstAttribute = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(ndmsg));
  constexpr unsigned kAll = 0xffffffff;
  // A filter loads in network order what netlink writes in the host's.
  const auto host = [](unsigned value) -> unsigned { return htons(std::uint16_t(value)); };
  const std::array<sock_filter, 15> program{{
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kType),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, host(RTM_NEWNEIGH), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, host(RTM_DELNEIGH), 0, 11),  // no neighbour: pass
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFamily),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 0, 2),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kState),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, host(NUD_NOARP | NUD_PERMANENT), 7, 6),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kState),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, host(NUD_PERMANENT), 5, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_IMM, kFirstAttribute),
      BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, NDA_PROTOCOL),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, unsigned(SKF_AD_OFF + SKF_AD_NLATTR)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),  // it has no such attribute
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, kAll),
  }};
  const sock_fprog filter{program.size(), const_cast<sock_filter*>(program.data())};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
    return sys_error(errno, "filter netlink notifications of neighbours");
  return {};
}

}  // namespace

bool NotificationFilter::is_change_of_port(const nlmsghdr* message) {
  const auto ifindex =
      static_cast<unsigned>(static_cast<const ifinfomsg*>(nlmsg_data(message))->ifi_index);
  const auto port = parse_bridge_port(message);
  // The link's own notification says that it is no port any more.
  if (!port || message->nlmsg_type == RTM_DELLINK) return ports_.erase(ifindex), false;
  const auto [known, is_new] = ports_.try_emplace(ifindex, *port);
  if (!is_new && known->second == *port) return false;
  known->second = *port;
  return true;
}

bool NotificationFilter::is_change_of_link(const nlmsghdr* message) {
  const bool is_change = is_change_of_port(message);
  // A bridge's report about its ports. The link's own notification says whose port it is.
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(message));
  if (info->ifi_family == AF_BRIDGE) return is_change;
  Link link = parse_link(message);
  if (message->nlmsg_type == RTM_DELLINK) {
    links_.erase(link.ifindex);
    std::erase_if(addresses_, [&](const auto& entry) { return entry.first == link.ifindex; });
    return true;
  }
  if (is_about_features(message, link)) return true;
  const auto [known, is_new] = links_.try_emplace(link.ifindex);
  if (!is_new && is_same(known->second, link)) return is_change;
  known->second = std::move(link);
  return true;
}

bool NotificationFilter::is_change_of_address(const nlmsghdr* message) {
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(message));
  if (info->ifa_family == AF_INET6 && info->ifa_scope == RT_SCOPE_LINK) return false;
  const Attributes<IFA_MAX> attributes(message, info);
  const auto address =
      attributes[IFA_LOCAL] ? attributes.ip(IFA_LOCAL) : attributes.ip(IFA_ADDRESS);
  if (!address) return true;
  const std::pair entry(info->ifa_index, IpNet{*address, info->ifa_prefixlen});
  if (message->nlmsg_type == RTM_NEWADDR) return addresses_.insert(entry).second;
  addresses_.erase(entry);
  return true;
}

bool NotificationFilter::is_change_of_neighbour(const nlmsghdr* message) {
  const auto* info = static_cast<const ndmsg*>(nlmsg_data(message));
  if (info->ndm_family == AF_BRIDGE || info->ndm_state & NUD_PERMANENT) return true;
  return Attributes<NDA_MAX>(message, info).u8(NDA_PROTOCOL) == kRouteProtocol;
}

bool NotificationFilter::is_change(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return is_change_of_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return is_change_of_address(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return !is_route_of_the_kernel(message);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return is_change_of_neighbour(message);
    default:
      return true;
  }
}

Result<NetlinkMonitor> NetlinkMonitor::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return sys_error(errno, "open netlink monitor");
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) != 0)
    return sys_error(errno, "listen to netlink notifications");
  if (auto filtered = drop_news_of_other_neighbours(fd.get()); !filtered) return fail(filtered);
  for (const int group : {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH, RTNLGRP_IPV4_NETCONF,
                          RTNLGRP_IPV6_NETCONF}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
      return sys_error(errno, "listen to netlink notifications of group " + std::to_string(group));
  }
  return NetlinkMonitor(std::move(fd));
}

bool NetlinkMonitor::take_changes() {
  alignas(nlmsghdr) char buffer[32768];
  bool changed = false;
  for (int reads = 0; reads < kMostReads; ++reads) {
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) return changed;
    if (size < 0) {  // some were lost, so what was seen before may be outdated
      changed = true;
      filter_ = {};
      continue;
    }
    auto left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(message, left);
         message = nlmsg_next(message, &left))
      changed = filter_.is_change(message) || changed;
  }
  return changed;
}

}  // namespace kubecni
