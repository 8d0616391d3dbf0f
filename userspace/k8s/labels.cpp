#include "k8s/labels.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;
using Operator = LabelRequirement::Operator;

std::optional<Operator> operator_in(const json& value) {
  const std::string text = text_of(value);
  if (text == "In") return Operator::kIn;
  if (text == "NotIn") return Operator::kNotIn;
  if (text == "Exists") return Operator::kExists;
  if (text == "DoesNotExist") return Operator::kDoesNotExist;
  return std::nullopt;
}

bool takes_values(Operator op) { return op == Operator::kIn || op == Operator::kNotIn; }

template <typename Item>
void sort_once(std::vector<Item>& items) {
  std::ranges::sort(items);
  const auto repeated = std::ranges::unique(items);
  items.erase(repeated.begin(), repeated.end());
}

Result<LabelRequirement> parse_expression(const json& expression) {
  const json& key = member(expression, "key");
  const auto op = operator_in(member(expression, "operator"));
  const json& values = member(expression, "values");
  if (!key.is_string() || text_of(key).empty())
    return failure(EINVAL, "matchExpressions has the key " + shown(key));
  if (!op)
    return failure(EINVAL,
                   "matchExpressions has the operator " + shown(member(expression, "operator")));
  if (!values.is_null() && !values.is_array())
    return failure(EINVAL, "matchExpressions has the values " + shown(values));
  LabelRequirement requirement{.key = text_of(key), .op = *op};
  for (const json& value : values) {
    if (!value.is_string())
      return failure(EINVAL, "matchExpressions has the value " + shown(value));
    requirement.values.push_back(text_of(value));
  }
  if (requirement.values.empty() == takes_values(*op))
    return failure(EINVAL, "matchExpressions has " + std::to_string(values.size()) +
                               " values for " + text_of(member(expression, "operator")));
  sort_once(requirement.values);
  return requirement;
}

bool holds(const LabelRequirement& requirement, const ObjectLabels& labels) {
  const auto value = labels.find(requirement.key);
  switch (requirement.op) {
    case Operator::kIn:
      return value && std::ranges::binary_search(requirement.values, *value);
    case Operator::kNotIn:
      return !value || !std::ranges::binary_search(requirement.values, *value);
    case Operator::kExists:
      return value.has_value();
    case Operator::kDoesNotExist:
      break;
  }
  return !value;
}

std::string requirement_text(const LabelRequirement& requirement) {
  // Different requirements have different texts, whatever is in the values.
  const auto list = [&] {
    std::string text;
    for (const std::string& value : requirement.values) append_word(text, json(value).dump(), ",");
    return "(" + text + ")";
  };
  switch (requirement.op) {
    case Operator::kIn:
      return requirement.values.size() == 1
                 ? requirement.key + "=" + json(requirement.values.front()).dump()
                 : requirement.key + " in " + list();
    case Operator::kNotIn:
      return requirement.key + " notin " + list();
    case Operator::kExists:
      return requirement.key;
    case Operator::kDoesNotExist:
      break;
  }
  return "!" + requirement.key;
}

bool has_zero(std::string_view text) { return text.contains('\0'); }

/// What comes before the next zero byte; removes both.
std::string_view take_text(std::string_view& left) {
  const std::string_view text = left.substr(0, left.find('\0'));
  left.remove_prefix(text.size() + 1);
  return text;
}

}  // namespace

ObjectLabels::ObjectLabels(const Map& labels) {
  for (const auto& [key, value] : labels)
    if (!has_zero(key) && !has_zero(value)) text_ += key + '\0' + value + '\0';
  text_.shrink_to_fit();
}

ObjectLabels::Map ObjectLabels::map() const {
  Map labels;
  for (std::string_view left = text_; !left.empty();) {
    const std::string_view key = take_text(left);
    labels.emplace(key, take_text(left));
  }
  return labels;
}

std::optional<std::string_view> ObjectLabels::find(std::string_view key) const {
  for (std::string_view left = text_; !left.empty();) {
    const bool is_it = take_text(left) == key;
    const std::string_view value = take_text(left);
    if (is_it) return value;
  }
  return std::nullopt;
}

Result<ObjectLabels> parse_labels(const json& object) {
  const json& map = member(member(object, "metadata"), "labels");
  if (!map.is_null() && !map.is_object())
    return failure(EINVAL, "metadata.labels is " + shown(map));
  ObjectLabels::Map labels;
  for (const auto& [key, value] : map.items()) {
    const std::string text = text_of(value);
    if (!value.is_string() || has_zero(key) || has_zero(text))
      return failure(EINVAL, "the label " + shown(json(key)) + " is " + shown(value));
    labels.emplace(key, text);
  }
  return ObjectLabels(labels);
}

Result<LabelSelector> parse_selector(const json& selector) {
  LabelSelector parsed;
  if (selector.is_null()) return parsed;
  const json& labels = member(selector, "matchLabels");
  const json& expressions = member(selector, "matchExpressions");
  if (!selector.is_object()) return failure(EINVAL, "a selector is " + shown(selector));
  if (!labels.is_null() && !labels.is_object())
    return failure(EINVAL, "matchLabels is " + shown(labels));
  if (!expressions.is_null() && !expressions.is_array())
    return failure(EINVAL, "matchExpressions is " + shown(expressions));
  for (const auto& [key, value] : labels.items()) {
    if (!value.is_string())
      return failure(EINVAL, "matchLabels has " + shown(value) + " for " + shown(json(key)));
    parsed.requirements.push_back({.key = key, .op = Operator::kIn, .values = {text_of(value)}});
  }
  for (const json& expression : expressions) {
    auto requirement = parse_expression(expression);
    if (!requirement) return fail(requirement);
    parsed.requirements.push_back(std::move(*requirement));
  }
  sort_once(parsed.requirements);
  return parsed;
}

bool matches(const LabelSelector& selector, const ObjectLabels& labels) {
  return std::ranges::all_of(selector.requirements,
                             [&](const auto& requirement) { return holds(requirement, labels); });
}

const LabelRequirement* requirement_of_values(const LabelSelector& selector) {
  const auto found = std::ranges::find(selector.requirements, Operator::kIn, &LabelRequirement::op);
  return found == selector.requirements.end() ? nullptr : &*found;
}

std::string selector_text(const LabelSelector& selector) {
  std::string text;
  for (const LabelRequirement& requirement : selector.requirements)
    append_word(text, requirement_text(requirement), ",");
  return text;
}

}  // namespace kubecni
