#pragma once

#include "base/result.hpp"
#include "cluster/node.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace kubecni {

/// Reads one `v1 Node`: metadata.name, the InternalIPs of status.addresses, and
/// spec.podCIDRs or, without it, spec.podCIDR.
///
/// Errors: EINVAL with node, field and value: malformed, or no InternalIP or PodCIDR assigned yet.
Result<Node> parse_node(const nlohmann::json& object);

/// Reads a `v1 NodeList`, or a `v1 List` as `kubectl get nodes -o json` prints it. Unusable items
/// are in `skipped`, and so is the second of two with the same name; they do not affect the others.
///
/// Errors: EINVAL not JSON, or not a list.
Result<NodeSnapshot> parse_node_list(std::string_view text);

/// parse_node() where an unusable Node is a result, not an error.
std::expected<Node, SkippedNode> node_or_reason(const nlohmann::json& object);

}  // namespace kubecni
