#pragma once

#include "cluster/cluster_view.hpp"

#include <optional>
#include <string>

namespace kubecni {

/// Another node that came, changed or went.
struct PeerChange {
  std::optional<Node> before;  ///< as in ClusterView::peers; empty: it was not there
  std::optional<Node> after;
};

/// Takes over into `view` that the node `name` is `now` (null: gone), if that touches no other
/// node: it is not this one, nothing of it was or is refused, it claims nothing that others have,
/// and it gives up nothing while others are refused something. Then view_cluster() would decide the
/// same. Costs the work for one node. Result: the change; empty: the view is as before, and
/// view_cluster() has to decide. Pure.
std::optional<PeerChange> follow_peer(ClusterView& view, const std::string& name, const Node* now,
                                      const ClusterRules& rules);

}  // namespace kubecni
