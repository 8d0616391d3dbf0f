#pragma once

#include "cluster/cluster_view.hpp"

#include <string>

namespace kubecni {

/// Why the cluster lets the node `own_name` take no pods, and what to do; empty: it has a PodCIDR
/// that is its own. What is wrong between nodes is no reason: a pod works on its node meanwhile.
/// Pure.
std::string why_no_pods(const std::string& own_name, const ClusterView& view);

}  // namespace kubecni
