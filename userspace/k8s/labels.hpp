#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

using ObjectLabels = std::map<std::string, std::string>;

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

/// metadata.labels. Errors: EINVAL not a map of texts.
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
