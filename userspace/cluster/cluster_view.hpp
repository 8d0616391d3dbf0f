#pragma once

#include "base/ip.hpp"
#include "cluster/address_claims.hpp"
#include "cluster/cluster_rules.hpp"
#include "cluster/node.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Who owns which PodCIDR. The owners of one moment decide who keeps a PodCIDR
/// that somebody else claims at the next.
using CidrOwners = std::map<IpNet, std::string>;

/// What this node took the cluster to be before.
struct Incumbents {
  CidrOwners cidrs = {};
  AddressOwners addresses = {};
  std::optional<Node> self = {};
};

/// What this node takes the cluster to be, after the snapshot's contradictions
/// have been resolved.
struct ClusterView {
  std::optional<Node> self;  ///< with the addresses and PodCIDRs that it may use
  /// Why `self` is as it last was; empty when it is as listed.
  std::string self_outdated = {};
  std::vector<Node> peers;           ///< likewise; sorted by name
  std::vector<SkippedNode> skipped;  ///< the source's, and claims that were refused
  CidrOwners owners;
  /// By whose InternalIP pods reach a node: of every node, also of those that have no
  /// PodCIDR (yet), the first of each family; sorted.
  std::vector<IpAddr> node_addresses = {};
  AddressOwners address_owners = {};
  std::vector<NodeWarning> warnings = {};

  /// For the next view, which takes the place of this one.
  [[nodiscard]] Incumbents incumbents() && {
    return {std::move(owners), std::move(address_owners), std::move(self)};
  }
};

/// Resolves the claims of a snapshot, by the same rules on each node, so that no Node
/// object takes away what is another's. Addresses are those of resolve_addresses(),
/// PodCIDRs what why_no_pod_cidr() lets pass. A PodCIDR that overlaps one of another
/// node stays with the node that had it in `previous`, else goes to the node that is
/// first by name.
///
/// Between a PodCIDR and the address of another node in it, the one in `previous` counts.
/// Where both are, or neither is, a node's PodCIDRs with addresses of two other nodes
/// in them are refused, and the address of a single one is.
///
/// While this node's own object is gone or not usable, the node stays `previous.self`, so
/// that its pods keep their ways; but what another node claims of its PodCIDRs is that
/// node's. Pure.
ClusterView view_cluster(const NodeSnapshot& snapshot, const std::string& own_name,
                         const Incumbents& previous = {}, const ClusterRules& rules = {});

}  // namespace kubecni
