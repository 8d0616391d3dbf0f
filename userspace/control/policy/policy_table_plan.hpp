#pragma once

#include "base/ip.hpp"
#include "net/address_elements.hpp"
#include "policy/compiled_policy.hpp"
#include "state/policy_mark.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// The NFLOG group of the rules that log.
inline constexpr std::uint16_t kDeniedLogGroup = 84;

/// kPolicyTableName with its family, for nft.
inline constexpr const char* kPolicyTable = "inet kube-cni-policy";

/// What the policies are to be enforced for.
struct PolicyTableSpec {
  CompiledPolicy policy;
  /// What has an address in these networks and is no subject is closed.
  std::vector<IpNet> own_pods;
  /// The node's own addresses in these networks: never closed.
  std::vector<IpAddr> open;
  /// Pods of this node with other addresses that are no subjects: closed, too.
  std::vector<IpAddr> closed;
  /// What a pod may not send is answered with an ICMP error.
  bool rejects_egress = false;
  /// What the policies' chains deny is logged to the NFLOG group kDeniedLogGroup, with the chain's
  /// name; some ten a second.
  bool logs = false;

  /// Whether packets to some pod of this node are judged.
  [[nodiscard]] bool has_isolated_ingress() const {
    return std::ranges::any_of(policy.subjects,
                               [](const auto& entry) { return !entry.second.ingress.empty(); });
  }
  bool operator==(const PolicyTableSpec&) const = default;
};

/// A table, taken apart. Names of chains and sets other than the fixed ones depend on the content.
struct PolicyTablePlan {
  std::map<std::string, std::string> sets;    ///< and limits, by name: "set NAME { type ...; }"
  std::map<std::string, std::string> chains;  ///< by name: what is between its braces
  AddressElements elements;                   ///< of each set

  bool operator==(const PolicyTablePlan&) const = default;
};

/// The hook for what the node sends that is not its own, as IPVS does. It needs the kernel's
/// nft_fib_inet.
inline constexpr const char* kOutputHook = "output";

/// The chains with a hook, and the declaration of each. The kernel gives them packets.
const std::map<std::string, std::string>& policy_base_chains();

/// The number of addresses in a key of the set.
std::size_t key_parts(const std::string& set);

/// The nftables table for `spec`. Pure.
///
/// The node's own packets are not judged, so a pod and its node always reach each other. A packet
/// is judged in the direction in which its flow was opened: the answers of an allowed flow pass,
/// and a policy that changes holds for established flows, too. The chains of both ends have to let
/// it pass, so what is allowed returns. What passes gets KUBECNI_MARK_JUDGED.
PolicyTablePlan plan_policy_table(const PolicyTableSpec& spec);

}  // namespace kubecni
