#pragma once

#include "base/result.hpp"
#include "dataplane/host_state.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "net/route.hpp"
#include "state/pod_port.hpp"

#include <string>
#include <vector>

namespace kubecni {

// The host end of a pod in mode ptp. It is a port of no bridge, so everything is on this link, and
// goes with it: the gateways' addresses, the routes to the pod's addresses, and the pod as a
// permanent neighbour.

/// The node's routes to the pod's addresses.
std::vector<Route> routes_to_pod(const PodPort& port, unsigned host_ifindex);

/// The pod's own routes to its gateways, which no address of the pod covers.
std::vector<Route> routes_to_gateways(const PodPort& port, unsigned pod_ifindex);

/// Sets up the new host end, and sets it up. The kernel drops IPv4 packets of the pod with another
/// source than its own address from the first one, unless the node has `rp_filter` of `all` at 2.
Result<> start_routed_port(NetlinkSocket& node, const Link& host, const PodPort& port);

/// Gives the host end all that it has for the addresses of `port`, and puts right what was changed.
/// Repeating it changes nothing. Errors: ENODEV it is gone.
Result<> ensure_routed_port(NetlinkSocket& node, const Link& host, const PodPort& port);

/// What ensure_routed_port() would put right, a phrase each.
std::vector<std::string> routed_port_differences(const HostState& state, const PodPort& port,
                                                 const Link& host);

}  // namespace kubecni
