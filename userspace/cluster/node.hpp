#pragma once

#include "base/ip.hpp"

#include <compare>
#include <string>
#include <vector>

namespace kubecni {

/// The parts of a `v1 Node` that kube-cni needs: its addresses and PodCIDRs.
struct Node {
  std::string name;
  std::vector<IpAddr> internal_ips;  ///< at least one, in the order of status.addresses
  std::vector<IpNet> pod_cidrs;      ///< at least one; host bits are clear

  auto operator<=>(const Node&) const = default;
};

/// A Node that cannot be used (yet).
struct SkippedNode {
  std::string name;                       ///< empty when it has none
  std::string reason;                     ///< a sentence for people
  std::vector<IpAddr> internal_ips = {};  ///< those that could be read

  auto operator<=>(const SkippedNode&) const = default;
};

/// All nodes of the cluster at one moment, both lists sorted by name.
struct NodeSnapshot {
  std::vector<Node> nodes;
  std::vector<SkippedNode> skipped;

  bool operator==(const NodeSnapshot&) const = default;
};

}  // namespace kubecni
