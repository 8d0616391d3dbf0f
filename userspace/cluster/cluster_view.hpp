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

/// Which node owns which PodCIDR. A node keeps its PodCIDR when another node claims it later.
using CidrOwners = std::map<IpNet, std::string>;

/// The PodCIDR in `owners` that overlaps `cidr`; end() if none does. They have to be disjoint.
/// Pure.
CidrOwners::const_iterator find_overlapping(const CidrOwners& owners, const IpNet& cidr);

/// What the previous view decided.
struct Incumbents {
  CidrOwners cidrs = {};
  AddressOwners addresses = {};
  std::optional<Node> self = {};
};

/// The cluster as this node sees it, after contradictions in the snapshot are resolved.
struct ClusterView {
  std::optional<Node> self;  ///< with the addresses and PodCIDRs that it may use
  /// Why `self` is that of the previous view; empty: it is that of the snapshot.
  std::string self_outdated = {};
  std::vector<Node> peers;           ///< like `self`; sorted by name
  std::vector<SkippedNode> skipped;  ///< those of the snapshot, and refused claims
  CidrOwners owners;
  /// The addresses by which pods reach nodes: the first InternalIP of each family of every node,
  /// also of nodes without a PodCIDR (yet); sorted.
  std::vector<IpAddr> node_addresses = {};
  AddressOwners address_owners = {};
  std::vector<NodeWarning> warnings = {};

  /// For the next view, which replaces this one.
  [[nodiscard]] Incumbents incumbents() && {
    return {std::move(owners), std::move(address_owners), std::move(self)};
  }
};

/// Resolves the claims of a snapshot, so that no Node object takes away what another node has. All
/// nodes do it by the same rules. Addresses are those of resolve_addresses(), PodCIDRs those that
/// why_no_pod_cidr() accepts. If PodCIDRs of two nodes overlap, the node that had its own in
/// `previous` keeps it, else the node that is first by name gets it.
///
/// If a PodCIDR contains the address of another node, the claim that is in `previous` wins. If
/// both are in it, or neither is: a node whose PodCIDRs contain addresses of two other nodes loses
/// these PodCIDRs; if they contain addresses of one other node, that node loses the addresses.
///
/// While this node's own object is gone or not usable, `self` stays `previous.self`, so that its
/// pods keep their routes. Another node may then get PodCIDRs that it claims from this one. Pure.
ClusterView view_cluster(const NodeSnapshot& snapshot, const std::string& own_name,
                         const Incumbents& previous = {}, const ClusterRules& rules = {});

}  // namespace kubecni
