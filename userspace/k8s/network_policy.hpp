#pragma once

#include "base/ip.hpp"
#include "k8s/labels.hpp"

#include <nlohmann/json.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// A port of a rule: of one protocol, a name or a range of numbers.
struct PolicyPort {
  std::uint8_t protocol = 0;  ///< IPPROTO_TCP, _UDP, _SCTP
  std::string name = {};      ///< empty: the numbers count
  std::uint16_t first = 0;    ///< host order
  std::uint16_t last = 65535;

  auto operator<=>(const PolicyPort&) const = default;
};

/// Addresses in a network, without those in some of its parts. Host bits are cleared.
struct IpBlock {
  IpNet cidr;
  std::vector<IpNet> except = {};

  auto operator<=>(const IpBlock&) const = default;
};

/// Who may talk: either a block, or pods by selectors.
struct PolicyPeer {
  std::optional<LabelSelector> pods = {};    ///< none, without a block: all
  std::optional<LabelSelector> spaces = {};  ///< namespaces; none: the policy's own
  std::optional<IpBlock> block = {};

  auto operator<=>(const PolicyPeer&) const = default;
};

/// Allows what is of one of the peers and for one of the ports. No peers: of everybody; no ports:
/// every protocol.
struct PolicyRule {
  std::vector<PolicyPeer> peers = {};
  std::vector<PolicyPort> ports = {};

  auto operator<=>(const PolicyRule&) const = default;
};

/// A `networking.k8s.io/v1 NetworkPolicy`.
struct NetworkPolicy {
  std::string space;  ///< its namespace
  std::string name;
  LabelSelector subjects = {};
  bool isolates_ingress = false;
  bool isolates_egress = false;
  std::vector<PolicyRule> ingress = {};
  std::vector<PolicyRule> egress = {};
  /// Why it cannot be understood; then it isolates its pods in both directions and allows nothing.
  /// If that is so of the subjects, they are all pods of the namespace.
  std::string problem = {};

  bool operator==(const NetworkPolicy&) const = default;
  [[nodiscard]] std::string key() const { return space + "/" + name; }
};

/// Missing fields have the API's defaults: policyTypes are Ingress, and Egress if there is a rule
/// of egress.
NetworkPolicy parse_network_policy(const nlohmann::json& object);

}  // namespace kubecni
