#pragma once

#include "k8s/policy_objects.hpp"
#include "policy/compiled_policy.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// An attachment of this node.
struct LocalPod {
  std::string pod;                ///< "NAMESPACE/NAME"; empty: no pod of Kubernetes
  std::vector<IpAddr> addresses;  ///< that ADD gave it
  std::string uid = {};           ///< as the runtime gave it; empty: unknown

  auto operator<=>(const LocalPod&) const = default;
};

/// Resolves all policies for the pods of this node. Pure.
///
/// What has an address on this node is known from `locals`, whatever the objects say: they come
/// later than a new pod and stay longer than an old one. An object with another UID is that of a
/// pod which had the name before, or has it now. A local pod without an object, or with a
/// malformed one, is no subject; nor is one that has ended. No policy can select a pod whose
/// namespace has none, nor a container that is no pod of Kubernetes: it is a subject without chains
/// in any case.
///
/// The object of a pod of another node makes nobody a subject. An address that this node's and
/// another node's pod claim is nobody's, unless this node gave it away: which of them is right is
/// known when the older object is gone. As long as peers are awaited, nobody is one of them.
CompiledPolicy compile_policies(const PolicyObjects& objects, const std::vector<LocalPod>& locals);

}  // namespace kubecni
