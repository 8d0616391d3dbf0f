#pragma once

#include "base/ip.hpp"
#include "k8s/node.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Who owns which PodCIDR. The owners of one moment decide who keeps a PodCIDR
/// that somebody else claims at the next.
using CidrOwners = std::map<IpNet, std::string>;

/// What this node takes the cluster to be, after the snapshot's contradictions
/// have been resolved.
struct ClusterView {
  std::optional<Node> self;  ///< with the PodCIDRs that it may use
  /// Why `self` is as it last was; empty when it is as listed.
  std::string self_outdated = {};
  std::vector<Node> peers;           ///< likewise; sorted by name
  std::vector<SkippedNode> skipped;  ///< the source's, and claims that were refused
  CidrOwners owners;
  /// InternalIPs of every node, also of those that have no PodCIDR (yet); sorted.
  std::vector<IpAddr> node_addresses = {};
};

/// Resolves the claims of a snapshot. A PodCIDR that overlaps one of another
/// node stays with the node that had it in `previous`, else goes to the node
/// that is first by name; one that contains the address of a node is refused,
/// since it would cut that node off.
///
/// While this node's own object is gone or not usable, the node stays `last_self`, so that
/// its pods keep their ways; but what another node claims of its PodCIDRs is that node's.
/// Pure.
ClusterView view_cluster(const NodeSnapshot& snapshot, const std::string& own_name,
                         const CidrOwners& previous, const std::optional<Node>& last_self = {});

}  // namespace kubecni
