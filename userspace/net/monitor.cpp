#include "net/monitor.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {

Result<NetlinkMonitor> NetlinkMonitor::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return sys_error(errno, "open netlink monitor");
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) != 0)
    return sys_error(errno, "listen to netlink notifications");
  for (const int rules : {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &rules, sizeof(rules)) != 0)
      return sys_error(errno, "listen to netlink notifications of rules");
  }
  return NetlinkMonitor(std::move(fd));
}

void NetlinkMonitor::drain() {
  char buffer[16384];
  // ENOBUFS means that notifications were lost, and is itself one.
  while (::recv(fd_.get(), buffer, sizeof(buffer), 0) >= 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace kubecni
