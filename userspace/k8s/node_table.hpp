#pragma once

#include "cluster/node.hpp"
#include "k8s/delta_news.hpp"

#include <expected>
#include <optional>
#include <string>

namespace kubecni {

/// The meaning of a Node object: a node, or the reason why not.
using NodeEntry = std::expected<Node, SkippedNode>;

/// The nodes of the cluster in an informer (an ObjectTable): a snapshot that changes in place, so
/// there is no other copy.
class NodeTable {
 public:
  std::optional<Change> set(const std::string& name, NodeEntry entry);
  bool erase(const std::string& name);

  template <typename Visit>
  void each_key(Visit visit) const {
    for (const Node& node : snapshot_.nodes) visit(node.name);
    for (const SkippedNode& node : snapshot_.skipped) visit(node.name);
  }

  [[nodiscard]] const NodeSnapshot& snapshot() const { return snapshot_; }

 private:
  NodeSnapshot snapshot_;
};

}  // namespace kubecni
