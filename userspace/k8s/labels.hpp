#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <compare>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// An object's labels, in one text, since a cluster has many of them.
class ObjectLabels {
 public:
  using Map = std::map<std::string, std::string>;

  ObjectLabels() = default;
  /// Leaves out labels with a zero byte.
  explicit ObjectLabels(const Map& labels);
  ObjectLabels(std::initializer_list<Map::value_type> labels) : ObjectLabels(Map(labels)) {}

  [[nodiscard]] std::optional<std::string_view> find(std::string_view key) const;
  [[nodiscard]] Map map() const;

  bool operator==(const ObjectLabels&) const = default;

 private:
  std::string text_;  ///< keys and values in turn, with a zero byte behind each
};

/// One condition of a selector.
struct LabelRequirement {
  enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };

  std::string key;
  Operator op = Operator::kIn;
  std::vector<std::string> values = {};  ///< sorted, each once; of kIn and kNotIn

  auto operator<=>(const LabelRequirement&) const = default;
};

/// A `metav1.LabelSelector`: all requirements hold. None selects everything.
struct LabelSelector {
  std::vector<LabelRequirement> requirements = {};  ///< sorted, each once

  auto operator<=>(const LabelSelector&) const = default;
};

/// metadata.labels. Errors: EINVAL not a map of texts, or one of them has a zero byte.
Result<ObjectLabels> parse_labels(const nlohmann::json& object);

/// Reads matchLabels and matchExpressions; null selects everything.
/// Errors: EINVAL with the part that is malformed.
Result<LabelSelector> parse_selector(const nlohmann::json& selector);

/// NotIn and DoesNotExist hold for a missing key, too.
bool matches(const LabelSelector& selector, const ObjectLabels& labels);

/// The first requirement that a label has one of some values; null: there is none.
const LabelRequirement* requirement_of_values(const LabelSelector& selector);

/// The selector as `kubectl` writes it: "app=web,tier in (a,b),!old". Equal selectors have equal
/// texts. Empty: selects everything.
std::string selector_text(const LabelSelector& selector);

}  // namespace kubecni
