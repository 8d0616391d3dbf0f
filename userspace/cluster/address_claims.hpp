#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_rules.hpp"
#include "cluster/node.hpp"

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// Which node has which InternalIP. A node keeps its address when another node claims it later.
using AddressOwners = std::map<IpAddr, std::string>;

/// Something about a node that may be a mistake. Nothing of the node is refused for it.
struct NodeWarning {
  std::string name;
  std::string text;

  auto operator<=>(const NodeWarning&) const = default;
};

/// The addresses and PodCIDRs that one Node object claims.
struct Claimant {
  const std::string* name;
  const std::vector<IpAddr>* addresses;
  const std::vector<IpNet>* pod_cidrs;  ///< null: none yet
};

/// Each claimed address with the one node that owns it.
struct AddressClaims {
  AddressOwners owners;
  /// By name: nodes that own no address, each with an address that another node owns. Packets
  /// for such a node go to the owner.
  std::map<std::string, IpAddr> shared;
  std::vector<SkippedNode> refused;
  std::vector<NodeWarning> warnings;
};

/// Decides which node owns which InternalIP. Refuses addresses that no node can have. If the node
/// has another address, also refuses: an address in the node's own PodCIDR, which is likely to be
/// its bridge's; an address in the configured pod networks; and an address of another node. If two
/// nodes claim an address, it goes to the node that had it in `previous`, else to the one with a
/// PodCIDR, else to the first by name. Pure.
AddressClaims resolve_addresses(const std::vector<Claimant>& claimants,
                                const AddressOwners& previous, const ClusterRules& rules);

}  // namespace kubecni
