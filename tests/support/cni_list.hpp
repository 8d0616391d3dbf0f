#pragma once

#include "support/node.hpp"

#include <map>
#include <vector>

namespace kubecni::test {

/// A list of plugins on a node, executed as libcni does: ADD in order, each with the
/// result of the one before; CHECK in order and DEL in reverse, with the final one.
class CniList {
 public:
  /// The node's own configuration becomes part of {"type": "kube-cni"}, at its place. Debian's
  /// reference plugins support versions up to 1.0.0.
  CniList(const Node& node, std::vector<nlohmann::json> plugins, std::string version = "1.0.0");

  /// `runtime_config` reaches the plugins whose "capabilities" ask for it. The
  /// first failure ends it, otherwise the answer is the last one's.
  CniAnswer add(Pod& pod, const nlohmann::json& runtime_config = {});
  CniAnswer check(const Pod& pod);
  CniAnswer del(const Pod& pod);

 private:
  CniAnswer call(const std::string& verb, const Pod& pod, const nlohmann::json& plugin,
                 const nlohmann::json& result) const;

  const Node& node_;
  std::vector<nlohmann::json> plugins_;
  std::string version_;
  std::map<std::string, nlohmann::json> results_;         ///< by container id
  std::map<std::string, nlohmann::json> runtime_config_;  ///< by container id
};

}  // namespace kubecni::test
