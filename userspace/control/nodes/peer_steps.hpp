#pragma once

#include "control/nodes/desired_state.hpp"
#include "control/nodes/kernel_routes.hpp"
#include "control/nodes/node_maps.hpp"

#include <optional>
#include <vector>

namespace kubecni {

/// What has to be written so that the plan for one node becomes another.
struct PeerSteps {
  KernelRouteChanges routes;
  NodeMapChanges maps;
};

/// From plan_peer() `before` to plan_peer() `after`; `of_all` is what both began with, and
/// `others_routes` are those of the kernel that are not ours. What several nodes may share stays
/// until the next round: neighbours of the tunnel device, and who may send through the tunnel.
/// Empty: the change concerns more than this node, and needs a round. Pure.
std::optional<PeerSteps> plan_peer_steps(const DesiredState& before, const DesiredState& after,
                                         const DesiredState& of_all,
                                         const std::vector<Route>& others_routes);

}  // namespace kubecni
