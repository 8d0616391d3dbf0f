#include "base/json.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <limits>
#include <string>

namespace kubecni {

namespace {

constexpr std::size_t kShownBytes = 120;
constexpr int kMaxDepth = 100;

std::string shortened(std::string text) {
  if (text.size() <= kShownBytes) return text;
  text.resize(kShownBytes);
  return text + "...";
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto keep = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  try {
    auto value = nlohmann::json::parse(text, keep);
    if (too_deep)
      return failure(EINVAL,
                     "not accepted: nested more than " + std::to_string(kMaxDepth) + " deep");
    return value;
  } catch (const nlohmann::json::exception& error) {
    return failure(EINVAL, "not JSON: " + shortened(error.what()));
  }
}

const nlohmann::json& member(const nlohmann::json& value, std::string_view key) {
  static const nlohmann::json null;
  if (!value.is_object()) return null;
  const auto found = value.find(key);
  return found == value.end() ? null : *found;
}

const nlohmann::json& member_like_go(const nlohmann::json& value, std::string_view key) {
  const nlohmann::json& exact = member(value, key);
  if (!exact.is_null() || !value.is_object()) return exact;
  for (const auto& [name, candidate] : value.items())
    if (!candidate.is_null() && equal_but_for_case(name, key)) return candidate;
  return exact;
}

std::string text_of(const nlohmann::json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text ? *text : std::string();
}

std::optional<unsigned> unsigned_of(const nlohmann::json& value) {
  const auto* number = value.get_ptr<const nlohmann::json::number_unsigned_t*>();
  if (!number || *number > std::numeric_limits<unsigned>::max()) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::string shown(const nlohmann::json& value) {
  // dump() recurses, so it must not see values that may be nested a million levels deep.
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return shortened(value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

std::string compact(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kubecni
