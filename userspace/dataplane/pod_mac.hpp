#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

namespace kubecni {

/// The MAC of a pod with this address: 0a:58 and an IPv4 address, or a hash of all of an
/// IPv6 address. Those of two subnets may end in the same four bytes, and pods of both be on
/// one bridge. The same wherever it is computed.
MacAddr pod_mac_of(const IpAddr& addr);

/// Whether a pod may have a MAC that was asked for: nobody on the node and nobody whom its
/// bridge has for a neighbour has it. Pods of that bridge are not looked for, since
/// ensure_fdb_entry() refuses their MACs, also when two pods come at once.
/// Errors: EADDRINUSE, with who has it.
Result<> check_mac_is_free(NetlinkSocket& node, const Link& bridge, const MacAddr& mac);

}  // namespace kubecni
