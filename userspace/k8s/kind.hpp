#pragma once

#include "k8s/object_table.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// How the API server is asked for the objects of a kind.
struct KindSource {
  std::string path;                         ///< "/api/v1/nodes"
  std::string selector = {};                ///< "fieldSelector=metadata.name%3Dkubernetes"
  std::string list_kind;                    ///< "NodeList"
  std::string resource;                     ///< for RBAC and messages: "nodes"
  std::vector<std::string_view> kept = {};  ///< the fields that `parse` reads: "spec.podCIDRs"
  /// The longest wait between two tries; 0: as long as for all kinds.
  std::chrono::milliseconds slowest_retry{};
};

/// A kind of Kubernetes object: where it comes from, and what is kept of one, and where.
///
/// `Object` is a plain struct with operator==: two that are equal are no change. `Table`
/// holds all of them, see ObjectTable.
template <typename Object, typename Table = ObjectTable<Object>>
struct Kind {
  KindSource source;
  /// Takes what is kept of an object, whatever is in it. A malformed one is a value of
  /// Object, too. Pure.
  Object (*parse)(const nlohmann::json& kept);
};

}  // namespace kubecni
