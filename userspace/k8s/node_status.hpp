#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni {

/// What a node reports about itself.
struct NodeReadiness {
  std::string why_not_ready;       ///< empty: it can take pods
  std::string kernel_path_reason;  ///< why its pods have no eBPF; empty: they have it
  std::string no_address = {};     ///< why another pod gets no address; empty: it gets one
  std::string not_reached = {};    ///< whose pods its pods do not reach, and why; empty: nobody's

  /// Which policy closes pods of this node since it cannot be enforced, and why; empty: none.
  std::string broken_policy = {};

  bool operator==(const NodeReadiness&) const = default;
};

/// What to send to the API server so that the Node says this; null: nothing.
struct NodeStatusPlan {
  std::vector<nlohmann::json> events;  ///< each a `v1 Event` for the namespace default; come first
  nlohmann::json status;               ///< strategic merge patch for nodes/NAME/status
  nlohmann::json taints;               ///< strategic merge patch for nodes/NAME; 409: read again
};

/// Plans the condition NetworkUnavailable, the Event about a change between eBPF and kernel path,
/// and, once the node can take pods, the removal of all taints called `startup_taint` (empty:
/// none). Plans only what differs.
///
/// A full subnet, pods of other nodes that are not reached, and a network policy that cannot be
/// enforced are conditions of their own, PodAddressesExhausted, PodPathsBroken and
/// NetworkPolicyBroken, with an Event for each change: the network is there, and the node's pods
/// have it. A node has such a condition only if it was true once.
///
/// A condition that says that the network is there stays, unless `may_take_back`; in any other case
/// a node that is not ready says so at once.
///
/// A condition also remembers its last event: one that an earlier process sent is not sent again.
/// An event's name follows from its subject, so sending it twice, after a kill, is answered with
/// 409.
///
/// `node` is a `v1 Node`, `now` a time in RFC 3339 format. Pure.
NodeStatusPlan plan_node_status(const nlohmann::json& node, const NodeReadiness& wanted,
                                const std::string& startup_taint, bool may_take_back,
                                const std::string& now);

}  // namespace kubecni
