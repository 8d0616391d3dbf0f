#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace kubecni {

/// What a node says of itself.
struct NodeReadiness {
  std::string why_not_ready;       ///< empty: it can take pods
  std::string kernel_path_reason;  ///< why its pods go without eBPF; empty: they do not

  bool operator==(const NodeReadiness&) const = default;
};

/// What the API server has to be told so that a Node says this; null: nothing.
struct NodeStatusPlan {
  nlohmann::json event;   ///< a `v1 Event` for the namespace default; to be told first
  nlohmann::json status;  ///< strategic merge patch for nodes/NAME/status
  nlohmann::json taints;  ///< strategic merge patch for nodes/NAME; 409: look again
};

/// Plans the condition NetworkUnavailable, the Event about a change between eBPF and
/// kernel path, and the removal of all taints called `startup_taint` (empty: none),
/// once the node can take pods. Nothing is planned that is so already.
///
/// Where the condition says that the network is there, it goes on saying so unless
/// `may_take_back`; in any other case a node that is not ready says so at once.
///
/// The condition is also the memory of what was told last: an event that was told
/// before this process began is not told again. An event's name follows from what it
/// is about, so that telling it twice, after a kill, is answered with 409.
///
/// `node` is a `v1 Node`, `now` a time as RFC 3339 has it. Pure.
NodeStatusPlan plan_node_status(const nlohmann::json& node, const NodeReadiness& wanted,
                                const std::string& startup_taint, bool may_take_back,
                                const std::string& now);

}  // namespace kubecni
