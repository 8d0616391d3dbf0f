#pragma once

#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

#include <cstdint>
#include <string>

namespace kubecni {

/// A VXLAN device that takes remote address and network identifier from each
/// packet (`ip link add NAME type vxlan external`): one device serves every peer,
/// over IPv4 and IPv6, for routes with an encapsulation and for eBPF.
struct VxlanSpec {
  std::string name;
  MacAddr mac;
  std::uint16_t port = 0;  ///< UDP, host order
  unsigned mtu = 0;        ///< bytes, of the packets inside
  bool ipv6 = false;       ///< also where IPv6 is off for new devices
};

/// Makes sure that the device exists, is up, and has this MAC, port and MTU. Corrects MAC and MTU
/// in place; another port needs a new device. The device has no address but an IPv4 link-local one,
/// accepts outer UDP checksums of 0 over IPv6 (RFC 6935), and has a loose reverse path filter,
/// since a peer may send through the tunnel what is answered directly. Repeating the call changes
/// nothing. Runs in the node's namespace, on a thread that is in it.
/// Errors: EEXIST a device of another kind has the name; EADDRINUSE another tunnel has the port;
/// EOPNOTSUPP the kernel has no VXLAN.
Result<Link> ensure_vxlan(NetlinkSocket& netlink, const VxlanSpec& spec);

}  // namespace kubecni
