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
  groups.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) != 0)
    return sys_error(errno, "listen to netlink notifications");
  return NetlinkMonitor(std::move(fd));
}

void NetlinkMonitor::drain() {
  char buffer[16384];
  // ENOBUFS means that notifications were lost, and is itself one.
  while (::recv(fd_.get(), buffer, sizeof(buffer), 0) >= 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace kubecni
