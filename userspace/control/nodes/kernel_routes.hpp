#pragma once

#include "control/nodes/desired_state.hpp"
#include "control/outcome.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"
#include "net/route.hpp"
#include "net/rule.hpp"

#include <optional>
#include <vector>

namespace kubecni {

/// What the kernel has of its own way between nodes. A list that it does not tell is empty
/// and not known, and nothing of its kind is changed.
struct KernelRoutes {
  std::vector<Route> routes;                           ///< of everybody
  std::optional<std::vector<Rule>> rules;              ///< of our protocol
  std::optional<std::vector<Neighbour>> neighbours{};  ///< the permanent ones of the tunnel
  unsigned bridge_ifindex = 0;                         ///< of the pods; 0: there is none
};

struct KernelRouteChanges {
  Changes<RouteKey, Route> routes;
  /// Wanted, but somebody else has a route there. The network of the pods' own bridge is nobody
  /// else's: it was a PodCIDR of this node, and goes with the last pod that has an address of it.
  std::vector<Route> taken;
  std::vector<Rule> set_rules;
  std::vector<Rule> erase_rules;
  Changes<IpAddr, Neighbour> neighbours;
};

/// `routes` were listed before. `tunnel_ifindex` is 0 where there is no tunnel device. Runs in
/// the node's namespace.
KernelRoutes read_kernel_routes(NetlinkSocket& netlink, std::vector<Route> routes,
                                unsigned tunnel_ifindex, Outcome& outcome);

/// Pure.
KernelRouteChanges plan_kernel_routes(const DesiredState& wanted, const KernelRoutes& found);

/// Replaces a route that changes in one step, so that no packet meets a gap. Runs in the
/// node's namespace.
void apply_kernel_routes(NetlinkSocket& netlink, const KernelRouteChanges& changes,
                         Outcome& outcome);

}  // namespace kubecni
