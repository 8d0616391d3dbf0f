#include "control/node_status/readiness.hpp"

namespace kubecni {

namespace {

/// Why the node, or a claim of it, was skipped; empty: it was not.
std::string why_skipped(const std::string& name, const ClusterView& view) {
  std::string reasons;
  for (const SkippedNode& node : view.skipped)
    if (node.name == name) reasons += (reasons.empty() ? "" : "; ") + node.reason;
  return reasons;
}

}  // namespace

std::string why_no_pods(const std::string& own_name, const ClusterView& view) {
  const std::string skipped = why_skipped(own_name, view);
  if (!view.self && !skipped.empty()) return "node " + own_name + ": " + skipped;
  if (!view.self)
    return "no usable node is named " + own_name + "; check --node-name and --node-source";
  if (view.self->pod_cidrs.empty())
    return "node " + own_name + " has no PodCIDR of its own" +
           (skipped.empty() ? "" : ": " + skipped);
  if (!view.self_outdated.empty())
    return view.self_outdated + "; the node keeps its last known addresses and PodCIDRs";
  return "";
}

}  // namespace kubecni
