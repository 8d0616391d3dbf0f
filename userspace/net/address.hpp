#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <vector>

namespace kubecni {

/// An IPv4 address of a link, with the prefix of its network.
struct LinkAddress {
  unsigned ifindex = 0;
  IpNet net;
};

/// Gives the link `net.addr` with the prefix of `net`, and the kernel's route
/// to that network. Repeating the call changes nothing.
/// Errors: ENODEV no such link; EPERM no CAP_NET_ADMIN.
Result<> ensure_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net);

/// The IPv4 addresses of all links of the namespace.
Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& netlink);

}  // namespace kubecni
