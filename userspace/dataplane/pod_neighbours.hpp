#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "dataplane/kernel_path.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// What the node has in its ARP and ND tables for the pod, for good, so that it believes
/// nobody who speaks for the pod's addresses: each of them, and of a pod with IPv6 the
/// link-local one of its MAC. `ip neigh show proto 84` lists those of all pods.
/// IPv6 may be switched off on a bridge that is no gateway, and is left out there.
std::vector<Neighbour> neighbours_of(const PodPort& port, unsigned bridge_ifindex);

/// Makes them. Errors: ENODEV the bridge is gone.
Result<> ensure_neighbours_of(NetlinkSocket& node, const PodPort& port, unsigned bridge_ifindex);

/// Absent is success.
Result<> delete_neighbours_at(NetlinkSocket& node, const std::vector<IpAddr>& addresses,
                              unsigned bridge_ifindex);

/// What the pod has in its own for its gateways, where these are the node's bridge.
std::vector<Neighbour> gateways_of(const PodPort& port, unsigned pod_ifindex);

/// Each of `wanted` that `actual` does not have; `actual` says more than what is ours.
std::vector<Neighbour> missing(const std::vector<Neighbour>& wanted,
                               const std::vector<Neighbour>& actual);

}  // namespace kubecni
