#pragma once

#include "base/shared.hpp"
#include "k8s/network_policy.hpp"
#include "k8s/pod.hpp"

#include <vector>

namespace kubecni {

/// Whether the policy can be resolved only with all pods of the cluster: a rule selects pods by
/// labels, or allows egress to a port by its name, which each destination has by its own number.
/// Pure.
bool needs_peers(const NetworkPolicy& policy);

/// Whether a policy that needs peers selects one of `pods`. Pure.
bool needs_peers(const std::vector<Shared<NetworkPolicy>>& policies,
                 const std::vector<Shared<Pod>>& pods);

}  // namespace kubecni
