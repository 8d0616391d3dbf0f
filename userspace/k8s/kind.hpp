#pragma once

#include "k8s/object_table.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// How to ask the API server for the objects of a kind.
struct KindSource {
  std::string path;                         ///< "/api/v1/nodes"
  std::string selector = {};                ///< "fieldSelector=metadata.name%3Dkubernetes"
  std::string list_kind;                    ///< "NodeList"
  std::string resource;                     ///< for RBAC and messages: "nodes"
  std::vector<std::string_view> kept = {};  ///< the fields that `parse` reads: "spec.podCIDRs"
  /// The longest wait between two tries; 0: the default.
  std::chrono::milliseconds slowest_retry{};
};

/// A kind of Kubernetes object: its source, its kept fields, and its table.
///
/// `Object` is a plain struct with operator==: equal objects count as unchanged. `Table` holds them
/// all, see ObjectTable.
template <typename Object, typename Table = ObjectTable<Object>>
struct Kind {
  KindSource source;
  /// Parses the kept fields of an object, whatever they contain. A malformed one becomes a value of
  /// Object, too. Pure.
  Object (*parse)(const nlohmann::json& kept);
};

}  // namespace kubecni
