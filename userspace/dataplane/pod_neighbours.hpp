#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "dataplane/kernel_path.hpp"
#include "net/bridge.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// The node's permanent ARP and ND entries for the pod at its PodPort::gateway_device(), so that
/// nobody else can claim the pod's addresses: one for each address, and with IPv6 one for the
/// link-local address of its MAC. `ip neigh show proto 84` lists those of all pods. IPv6 may be off
/// on a bridge that is not a gateway, and is left out there.
std::vector<Neighbour> neighbours_of(const PodPort& port, unsigned ifindex);

/// Makes them. Errors: ENODEV the device is gone.
Result<> ensure_neighbours_of(NetlinkSocket& node, const PodPort& port, unsigned ifindex);

/// Absent is success.
Result<> delete_neighbours_at(NetlinkSocket& node, const std::vector<IpAddr>& addresses,
                              unsigned ifindex);

/// Whether the kernel has a pod at `address` on that bridge: a neighbour that kube-cni made, at a
/// MAC that the bridge reaches through a port. It knows pods also when their records are lost.
Result<bool> has_pod_at(NetlinkSocket& node, const IpAddr& address, unsigned bridge_ifindex);

/// The same for a pod in mode ptp: the route to it leads to its host end, which takes it along.
Result<bool> has_routed_pod_at(NetlinkSocket& node, const IpAddr& address);

/// Whether the bridge reaches `mac` through a port, for good: such an entry goes with its port.
bool is_port_reached(const std::vector<FdbEntry>& fdb, unsigned bridge_ifindex, const MacAddr& mac);

/// The pod's own entries for gateways that are the node's.
std::vector<Neighbour> gateways_of(const PodPort& port, unsigned pod_ifindex);

/// Those of `wanted` that are missing in `actual`, which may also contain foreign entries.
std::vector<Neighbour> missing(const std::vector<Neighbour>& wanted,
                               const std::vector<Neighbour>& actual);

}  // namespace kubecni
