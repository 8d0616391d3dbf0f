#include "dataplane/pod_routes.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <limits>
#include <ranges>
#include <string>

namespace kubecni {

namespace {

/// Older kernels list IPv6's behaviour without a route as a route of this metric.
constexpr unsigned kNoRouteMetric = std::numeric_limits<unsigned>::max();

/// The routes to `dst` that the pod's packets take today.
std::vector<Route> routes_to(const IpNet& dst, const std::vector<Route>& routes) {
  const auto leads_there = [&](const Route& route) {
    return route.dst == dst && route.table == RT_TABLE_MAIN && route.metric != kNoRouteMetric;
  };
  std::vector<Route> found;
  std::ranges::copy_if(routes, std::back_inserter(found), leads_there);
  return found;
}

/// A new IPv4 default route wins over an existing one of the same metric. IPv6 would spread packets
/// over both, so it gets a lower metric.
Result<PodRoutePlan::Step> step_before(const std::vector<Route>& others, Route route) {
  const unsigned lowest = std::ranges::min(others | std::views::transform(&Route::metric));
  if (route.dst.addr.is_v4()) {
    route.metric = lowest;
    return PodRoutePlan::Step{route, true};
  }
  if (lowest <= 1)
    return failure(EEXIST, "the pod has a default route of metric " + std::to_string(lowest) +
                               ", and no other route can come before it");
  route.metric = lowest - 1;
  return PodRoutePlan::Step{route, false};
}

}  // namespace

Result<PodRoutePlan> plan_pod_routes(const std::vector<PodRoute>& wanted,
                                     const std::vector<Route>& existing, unsigned ifindex,
                                     bool takes_default) {
  PodRoutePlan plan;
  for (const PodRoute& pod_route : wanted) {
    const auto others = routes_to(pod_route.dst, existing);
    const bool is_again =
        std::ranges::find(plan.made, pod_route.dst, &PodRoute::dst) != plan.made.end();
    const bool is_taken = !others.empty() && !(takes_default && pod_route.dst.prefix == 0);
    if (is_again || is_taken) {
      plan.left_out.push_back({pod_route, is_again ? ifindex : others.front().ifindex});
      continue;
    }
    PodRoutePlan::Step step{{.dst = pod_route.dst,
                             .gateway = pod_route.gateway,
                             .ifindex = ifindex,
                             .protocol = RTPROT_STATIC}};
    if (!others.empty()) {
      auto before = step_before(others, step.route);
      if (!before) return fail(before);
      step = *before;
    }
    plan.steps.push_back(step);
    plan.made.push_back(pod_route);
  }
  return plan;
}

}  // namespace kubecni
