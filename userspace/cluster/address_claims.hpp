#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_rules.hpp"
#include "cluster/node.hpp"

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// Which node has which InternalIP. Those of one moment decide who keeps an address that
/// somebody else claims at the next.
using AddressOwners = std::map<IpAddr, std::string>;

/// Something about a node that is no reason to leave anything out, but may be a mistake.
struct NodeWarning {
  std::string name;
  std::string text;

  auto operator<=>(const NodeWarning&) const = default;
};

/// What one Node object says of where the node and its pods are.
struct Claimant {
  const std::string* name;
  const std::vector<IpAddr>* addresses;
  const std::vector<IpNet>* pod_cidrs;  ///< null: none yet
};

/// The claims to addresses, each with one node.
struct AddressClaims {
  AddressOwners owners;
  /// The one address of a node that is also another's, which owns it. Packets for that
  /// node go where they go for the other.
  std::map<std::string, IpAddr> shared;
  std::vector<SkippedNode> refused;
  std::vector<NodeWarning> warnings;
};

/// Decides who has which InternalIP. What no node can have is refused, and so are, as long
/// as the node has another one: an address in the node's own PodCIDR, which is likely to
/// be its bridge's; one in the configured pod networks; and one that is another node's. Of
/// two nodes with an address it stays with the one that had it in `previous`, else goes to
/// one with a PodCIDR, else to the first by name. Pure.
AddressClaims resolve_addresses(const std::vector<Claimant>& claimants,
                                const AddressOwners& previous, const ClusterRules& rules);

}  // namespace kubecni
