#pragma once

#include "collect.hpp"

#include <string>

namespace kubecni {

/// The question of `kube-cnictl policy test`.
struct PolicyQuestion {
  std::string from;
  std::string to;
  std::string port;
  std::string policy_file;  ///< where the objects come from; empty: as kube-cnid reads them
  std::string kubeconfig;   ///< likewise
};

/// verdict: "allowed", "denied", or "unknown" with the reason in `notes`; flows: for each address
/// family what the objects say of egress and ingress, and what this node's table says, with the
/// rules. "unknown" if no end is a pod of this node, or if the table and the objects differ.
/// Errors: ENOENT there is no such pod or port; EINVAL; those of reading objects and table.
Result<nlohmann::json> ask_policy(const NodePaths& paths, const PolicyQuestion& question);

}  // namespace kubecni
