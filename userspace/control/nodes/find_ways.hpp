#pragma once

#include "control/nodes/peer_path.hpp"
#include "control/outcome.hpp"
#include "net/netlink.hpp"

#include <vector>

namespace kubecni {

/// Asks the kernel's routes, with all rules and tables, for the ways to each of `addresses`, and
/// adds those that are not in `underlay` yet. A way by the pods' bridge or the tunnel is none.
/// Result: whether each question was answered. Runs in the node's namespace.
bool find_ways(NetlinkSocket& netlink, const std::vector<IpAddr>& addresses, Underlay& underlay,
               Outcome& outcome);

/// The same for all addresses of `peer`, and for its tunnel endpoint from this node's own.
bool find_ways_to(NetlinkSocket& netlink, const Node& peer, Underlay& underlay, Outcome& outcome);

}  // namespace kubecni
