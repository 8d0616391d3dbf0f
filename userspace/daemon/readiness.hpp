#pragma once

#include "daemon/cluster_view.hpp"
#include "daemon/report.hpp"

#include <string>

namespace kubecni {

/// Why the node `own_name` cannot take pods, and what to do; empty when it can: it has a
/// PodCIDR that is its own, and the bridge and what the plugin is told are there. What
/// is wrong between nodes is no reason: a pod works on its node meanwhile. Pure.
///
/// Decides on the conflist, the Node condition and /readyz alike.
std::string why_not_ready(const std::string& own_name, const ClusterView& view,
                          const ReconcileReport& report);

}  // namespace kubecni
