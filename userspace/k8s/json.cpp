#include "k8s/json.hpp"

#include <cerrno>

namespace kubecni {

namespace {

constexpr std::size_t kShownBytes = 120;

std::string shortened(std::string text) {
  if (text.size() <= kShownBytes) return text;
  text.resize(kShownBytes);
  return text + "...";
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
  try {
    return nlohmann::json::parse(text);
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

std::string text_of(const nlohmann::json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text ? *text : std::string();
}

std::string shown(const nlohmann::json& value) {
  // dump() recurses, so it is kept away from what may be nested a million deep.
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return shortened(value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

}  // namespace kubecni
