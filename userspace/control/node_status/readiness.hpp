#pragma once

#include "cluster/cluster_view.hpp"

#include <string>

namespace kubecni {

/// Why the node `own_name` has no usable PodCIDR, so that it cannot take pods, and what to do;
/// empty: it has one. Trouble between nodes does not count: pods still work on their own node.
/// Pure.
std::string why_no_pods(const std::string& own_name, const ClusterView& view);

}  // namespace kubecni
