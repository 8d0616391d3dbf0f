#include "control/nodes/peer_steps.hpp"

#include <algorithm>
#include <ranges>

namespace kubecni {

namespace {

/// The round has refused such a route, and the kernel has that of another.
bool has_others_route(const DesiredState& plan, const std::vector<Route>& others_routes) {
  return std::ranges::any_of(others_routes, [&](const Route& route) {
    return plan.routes.contains({route.table, route.dst});
  });
}

/// Hooks, rules and the pods' MTU come with a round, and so does what has to be told.
bool needs_round(const DesiredState& plan, const DesiredState& of_all) {
  return !plan.unreachable.empty() || plan.mtu != of_all.mtu || plan.rules != of_all.rules ||
         plan.wires.size() != of_all.wires.size();
}

}  // namespace

std::optional<PeerSteps> plan_peer_steps(const DesiredState& before, const DesiredState& after,
                                         const DesiredState& of_all,
                                         const std::vector<Route>& others_routes) {
  if (needs_round(before, of_all) || needs_round(after, of_all) ||
      has_others_route(before, others_routes) || has_others_route(after, others_routes))
    return std::nullopt;
  KernelRoutes found{.routes = others_routes, .rules = {}, .neighbours = std::vector<Neighbour>()};
  for (const Route& route : std::views::values(before.routes)) found.routes.push_back(route);
  for (const Neighbour& one : std::views::values(before.neighbours))
    found.neighbours->push_back(one);
  PeerSteps steps{.routes = plan_kernel_routes(after, found),
                  .maps = plan_node_maps(after, {before.cidrs, before.tunnel_peers})};
  steps.routes.neighbours.erase.clear();
  steps.maps.tunnel_peers.erase.clear();
  return steps;
}

}  // namespace kubecni
