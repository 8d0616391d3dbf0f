#include "net/ipsec.hpp"

#include "net/netlink_request.hpp"

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace kubecni {

Result<bool> has_ipsec_policies() {
  auto netlink = NetlinkSocket::open(NetlinkPeer::kXfrm);
  if (!netlink && netlink.error().code == EPROTONOSUPPORT) return false;
  if (!netlink) return fail(netlink);
  const std::uint32_t flags = 0;
  xfrmu_spdinfo counts{};
  NetlinkRequest request(XFRM_MSG_GETSPDINFO, 0, flags);
  auto done =
      request.exchange(*netlink, "count the policies of IPsec", [&](const nlmsghdr* message) {
        const Attributes<XFRMA_SPD_MAX> attributes(message, &flags);
        nlattr* info = attributes[XFRMA_SPD_INFO];
        if (info && nla_len(info) >= static_cast<int>(sizeof(counts)))
          std::memcpy(&counts, nla_data(info), sizeof(counts));
      });
  if (!done) return fail(done);
  return counts.outcnt != 0;
}

Result<IpsecMonitor> IpsecMonitor::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM));
  if (!fd && errno == EPROTONOSUPPORT) return IpsecMonitor(std::move(fd));
  if (!fd) return sys_error(errno, "open netlink monitor of IPsec");
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = XFRMGRP_POLICY;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) != 0)
    return sys_error(errno, "listen to netlink notifications of IPsec");
  return IpsecMonitor(std::move(fd));
}

bool IpsecMonitor::take_changes() {
  constexpr int kMostReads = 1024;
  char buffer[8192];
  bool any = false;
  for (int reads = 0; reads < kMostReads; ++reads) {
    // ENOBUFS: some were lost.
    if (::recv(fd_.get(), buffer, sizeof(buffer), 0) < 0 && errno != EINTR && errno != ENOBUFS)
      break;
    any = true;
  }
  return any;
}

}  // namespace kubecni
