#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// Which members of an object are kept, as a tree. A Node has 10 to 50 kB of JSON, of
/// which we need some hundred bytes.
struct ObjectFields {
  std::string name = {};                  ///< of the member; of the whole object: empty
  std::vector<ObjectFields> inside = {};  ///< empty: all of it

  /// From paths like "spec.podCIDR".
  static ObjectFields of(const std::vector<std::string_view>& paths);

  void add(std::string_view path);
};

/// What `fields` names of the JSON `text`; members that are absent stay absent. A value
/// that is no object although `fields` goes on inside of it is kept as it is. What is not
/// kept is skipped without being looked at closely: only its strings and brackets have to
/// match.
///
/// Errors: those of parse_json(), as far as the text is looked at.
Result<nlohmann::json> pick_fields(std::string_view text, const ObjectFields& fields);

/// metadata.KEY of a Kubernetes object; empty when it is no text.
std::string metadata_text(const nlohmann::json& object, std::string_view key);

}  // namespace kubecni
