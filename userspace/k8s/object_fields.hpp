#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The members of an object to keep, as a tree. A Node has 10 to 50 kB of JSON, and we need some
/// hundred bytes.
struct ObjectFields {
  std::string name = {};                  ///< of the member; of the whole object: empty
  std::vector<ObjectFields> inside = {};  ///< empty: all of it

  /// From paths like "spec.podCIDR".
  static ObjectFields of(const std::vector<std::string_view>& paths);

  void add(std::string_view path);
};

/// The members of the JSON `text` that `fields` names; absent ones stay absent. If `fields` goes on
/// inside a value that is not an object, the value is kept whole. Everything else is skipped
/// without a full check: only its strings and brackets have to match.
///
/// Errors: those of parse_json(), for the checked parts.
Result<nlohmann::json> pick_fields(std::string_view text, const ObjectFields& fields);

/// metadata.KEY of a Kubernetes object; empty when it is no text.
std::string metadata_text(const nlohmann::json& object, std::string_view key);

}  // namespace kubecni
