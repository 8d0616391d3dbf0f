#pragma once

#include "base/ip.hpp"
#include "net/route.hpp"
#include "state/pod_port.hpp"

#include <vector>

namespace kubecni {

/// A route that the pod does not get, since its destination is taken.
struct LeftOutRoute {
  PodRoute route;
  unsigned by_ifindex = 0;  ///< of the interface that leads there; 0: of none, or of several
};

/// What one interface adds to the routes of a pod.
struct PodRoutePlan {
  /// A route to make. One that `goes_before` wins over a route of the same destination
  /// and metric; the others have to be the only one.
  struct Step {
    Route route;
    bool goes_before = false;
  };
  std::vector<Step> steps;
  std::vector<PodRoute> made;  ///< of `steps`, in their order
  std::vector<LeftOutRoute> left_out;
};

/// Which of `wanted` the interface `ifindex` of a pod may have beside the pod's
/// `existing` routes. Who came first keeps its destination, whatever the metric: a
/// destination in the main table that another interface has is left out, and so is one
/// that `wanted` names twice. Default routes with `takes_default` are the exception:
/// they win over those that are there, which stay, and lead again once the interface
/// is gone.
/// Errors: EEXIST an IPv6 default route is there that no metric wins over.
Result<PodRoutePlan> plan_pod_routes(const std::vector<PodRoute>& wanted,
                                     const std::vector<Route>& existing, unsigned ifindex,
                                     bool takes_default);

}  // namespace kubecni
