#pragma once

#include "base/result.hpp"
#include "base/shared.hpp"
#include "k8s/network_policy.hpp"
#include "k8s/pod.hpp"

#include <string_view>
#include <vector>

namespace kubecni {

/// All that policies are made of. A copy shares the objects.
struct PolicyObjects {
  std::vector<Shared<NetworkPolicy>> policies = {};
  /// Those that policies are enforced for. A source that reads all pods at once has all of them
  /// here.
  std::vector<Shared<Pod>> pods = {};
  /// Pods of other nodes, in case the policies of `pods` need them (see needs_peers()). They come
  /// apart from `pods`, so either may be the older.
  std::vector<Shared<Pod>> peers = {};
  bool awaits_peers = false;  ///< they are needed, and not known yet
  std::vector<Shared<Namespace>> spaces = {};

  bool operator==(const PolicyObjects&) const = default;
};

/// Reads a list as `kubectl get networkpolicies,pods,namespaces -A -o json` prints it, or a
/// NetworkPolicyList, PodList or NamespaceList. Objects of other kinds are left out.
///
/// Errors: EINVAL not JSON, not a list, an item without a name, or two of one kind with the same
/// name.
Result<PolicyObjects> parse_policy_objects(std::string_view text);

}  // namespace kubecni
