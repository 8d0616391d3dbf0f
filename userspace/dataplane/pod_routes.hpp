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

/// The routes that one interface adds to a pod.
struct PodRoutePlan {
  /// A route to make. One that `goes_before` wins over a route of the same destination and metric;
  /// any other must be the only one.
  struct Step {
    Route route;
    bool goes_before = false;
  };
  std::vector<Step> steps;
  std::vector<PodRoute> made;  ///< of `steps`, in their order
  std::vector<LeftOutRoute> left_out;
};

/// Which of `wanted` the interface `ifindex` of a pod may have besides the pod's `existing` routes.
/// The first owner keeps its destination, whatever the metric: leaves out a destination that
/// another interface has in the main table, and one that `wanted` names twice. Default routes with
/// `takes_default` are the exception: they win over existing ones, which stay, and are used again
/// once the interface is gone.
/// Errors: EEXIST there is an IPv6 default route that no metric wins over.
Result<PodRoutePlan> plan_pod_routes(const std::vector<PodRoute>& wanted,
                                     const std::vector<Route>& existing, unsigned ifindex,
                                     bool takes_default);

}  // namespace kubecni
