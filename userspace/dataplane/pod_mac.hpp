#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"

namespace kubecni {

/// The MAC of a pod with this address: 0a:58 and the IPv4 address, or a hash of the whole IPv6
/// address, as addresses of two subnets on one bridge may end in the same four bytes. Every node
/// computes the same.
MacAddr pod_mac_of(const IpAddr& addr);

/// Whether a pod may have a requested MAC: no link of the node and no neighbour on its bridge has
/// it. Does not look for pods on that bridge: ensure_fdb_entry() refuses their MACs, also if two
/// pods come at once.
/// Errors: EADDRINUSE, naming the holder.
Result<> check_mac_is_free(NetlinkSocket& node, const Link& bridge, const MacAddr& mac);

}  // namespace kubecni
