#pragma once

#include "base/ip.hpp"

#include <compare>
#include <string>
#include <vector>

namespace kubecni {

/// What we need to know of a `v1 Node`: where it is, and which pods live there.
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
  std::vector<IpAddr> internal_ips = {};  ///< as far as they are known all the same

  auto operator<=>(const SkippedNode&) const = default;
};

/// All nodes of the cluster at one moment, both lists sorted by name.
struct NodeSnapshot {
  std::vector<Node> nodes;
  std::vector<SkippedNode> skipped;

  bool operator==(const NodeSnapshot&) const = default;
};

}  // namespace kubecni
