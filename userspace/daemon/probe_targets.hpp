#pragma once

#include "cluster/cluster_view.hpp"
#include "control/nodes/nodes_controller.hpp"
#include "control/probe/probe_table.hpp"

#include <vector>

namespace kubecni {

/// Whom this node has to test: the first PodCIDR of each family of each node that it reaches and
/// that it has a probe address of, too. Pure.
std::vector<ProbeTarget> plan_probe_targets(const ClusterView& view, const NodesPlan& plan);

}  // namespace kubecni
