#pragma once

#include "daemon/report.hpp"
#include "net/netlink.hpp"
#include "net/route.hpp"

#include <vector>

namespace kubecni {

/// Makes the kernel's own way between nodes equal to `report.desired`: routes and
/// rules of our protocol, and the permanent neighbours of the tunnel device, if
/// there is one (`tunnel_ifindex` is not 0). `current` are the routes that there
/// are. A route that changes is replaced in one step, so that no packet meets a
/// gap. Runs in the node's namespace; errors are in the report.
void sync_kernel_routes(NetlinkSocket& netlink, const std::vector<Route>& current,
                        unsigned tunnel_ifindex, ReconcileReport& report);

}  // namespace kubecni
