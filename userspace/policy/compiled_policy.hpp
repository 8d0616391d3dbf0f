#pragma once

#include "base/ip.hpp"
#include "k8s/network_policy.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace kubecni {

enum class PolicyDirection { kIngress, kEgress };

/// The kinds of policies, in the order in which they decide. NetworkPolicies are the only ones so
/// far.
enum class PolicyTier { kAdmin, kNetworkPolicy, kBaseline };
enum class PolicyAction { kAllow, kDeny, kPass };

struct PortRange {
  std::uint16_t first = 0;  ///< host order
  std::uint16_t last = 0;

  auto operator<=>(const PortRange&) const = default;
};

/// What a term is about: a protocol, and ports of it.
struct PortMatch {
  std::uint8_t protocol = 0;           ///< 0: every one
  std::vector<PortRange> ranges = {};  ///< sorted, apart from each other; none: every port

  auto operator<=>(const PortMatch&) const = default;
};

/// Whom a term is about.
struct PeerMatch {
  enum class Kind { kAnyone, kSet, kBlock };

  Kind kind = Kind::kAnyone;
  std::string set = {};  ///< its name in CompiledPolicy::sets
  IpBlock block = {};

  auto operator<=>(const PeerMatch&) const = default;
};

/// One line of a chain.
struct PolicyTerm {
  PolicyTier tier = PolicyTier::kNetworkPolicy;
  PolicyAction action = PolicyAction::kAllow;
  PeerMatch peer = {};
  PortMatch ports = {};
  std::string origin;  ///< "NAMESPACE/POLICY#ingress0"

  auto operator<=>(const PolicyTerm&) const = default;
};

/// What decides about the packets to, or from, the pods that it isolates. The first term that fits
/// decides; if none fits, the packet is dropped.
struct PolicyChain {
  PolicyDirection direction = PolicyDirection::kIngress;
  std::vector<PolicyTerm> terms = {};
  std::vector<std::string> policies = {};  ///< that isolate: "NAMESPACE/POLICY"

  auto operator<=>(const PolicyChain&) const = default;
};

/// A pod of this node: the names of its chains. Empty: it is not isolated.
struct PolicySubject {
  std::string ingress = {};
  std::string egress = {};
  /// Its chains lack pods of other nodes that are not known yet.
  bool awaits_peers = false;

  auto operator<=>(const PolicySubject&) const = default;
  [[nodiscard]] bool is_isolated() const { return !ingress.empty() || !egress.empty(); }
};

/// A policy that cannot be enforced, so it closes its pods.
struct PolicyProblem {
  std::string policy;  ///< "NAMESPACE/POLICY"
  std::string reason;  ///< a sentence that names it

  auto operator<=>(const PolicyProblem&) const = default;
};

/// All policies for the pods of this node, resolved to addresses and ports. Names depend on the
/// content, so equal names mean equal content, also in another run.
struct CompiledPolicy {
  std::map<std::string, std::set<IpAddr>> sets = {};
  std::map<std::string, PolicyChain> chains = {};
  /// The pods that are known, by address. A pod of this node that is not among them is closed.
  std::map<IpAddr, PolicySubject> subjects = {};
  std::vector<PolicyProblem> problems = {};

  bool operator==(const CompiledPolicy&) const = default;
};

}  // namespace kubecni
