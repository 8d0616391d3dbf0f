#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <vector>

namespace kubecni {

/// An address of a link, with the prefix of its network.
struct LinkAddress {
  unsigned ifindex = 0;
  IpNet net;
};

/// Whether an address brings the kernel's route to its network.
enum class NetworkRoute { kYes, kNo };

/// Gives the link `net.addr` with the prefix of `net`, and the kernel's route to that network. An
/// IPv4 link-local address (RFC 3927) gets link scope. An IPv6 address is usable at once, without
/// duplicate address detection, which takes a second: addresses are allocated, not guessed.
/// Repeating the call changes nothing.
/// Errors: ENODEV no such link; EACCES IPv6 is switched off on it; EPERM no
/// CAP_NET_ADMIN.
Result<> ensure_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net,
                        NetworkRoute route = NetworkRoute::kYes);

/// Removes `net.addr` with the prefix of `net` from the link, and with it the kernel's route to
/// that network. Absent is success. Errors: EPERM no CAP_NET_ADMIN.
Result<> delete_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net);

/// Waits until the namespace accepts packets to `addr` as its own, at most 1 s. For an IPv6 address
/// the kernel does so a moment after it was added, from a queue: it drops packets in between, since
/// the host is not a router.
/// Errors: ETIMEDOUT it does not; ENETUNREACH, EACCES there is not even a route.
Result<> await_address(NetlinkSocket& netlink, const IpAddr& addr);

/// The addresses of all links of the namespace, of both families.
Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& netlink);

}  // namespace kubecni
