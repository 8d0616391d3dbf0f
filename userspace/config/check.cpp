#include "config/check.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/cni_spec.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <ranges>

namespace kubecni {

using nlohmann::json;

namespace {

/// What the setting needs in place of `text`; empty if `text` is valid.
std::string wanted_text(const Setting& setting, const std::string& text) {
  if (text.empty()) return "a non-empty string";
  if (setting.type == Type::kPath && !std::filesystem::path(text).is_absolute())
    return "an absolute path";
  if (setting.type == Type::kInterface && !is_ifname(text))
    return "an interface name: " + std::string(kIfnameRule);
  if (setting.type != Type::kChoice) return "";
  const auto words = words_of(setting);
  if (std::ranges::find(words, text) != words.end()) return "";
  std::string list;
  for (const auto& word : words) append_word(list, "\"" + word + "\"");
  return "one of " + list;
}

bool is_number_of(const Setting& setting, const json& value) {
  return value.is_number_unsigned() && value >= setting.least && value <= setting.most;
}

}  // namespace

std::string wrong_value_text(std::string_view key, const json& value, std::string_view wanted) {
  return "\"" + std::string(key) + "\": " + shown(value) + " is not " + std::string(wanted);
}

std::string problem_of(const Setting& setting, const json& value) {
  std::string wanted;
  switch (setting.type) {
    case Type::kOther:
      return "";
    case Type::kNetwork: {
      const auto net = read_cidr(std::string(setting.key), value);
      return net ? "" : net.error().what;
    }
    case Type::kFlag:
      if (!value.is_boolean()) wanted = "true or false";
      break;
    case Type::kNumber:
      if (!is_number_of(setting, value))
        wanted = std::string(setting.help) + ", " + std::to_string(setting.least) + " to " +
                 std::to_string(setting.most);
      break;
    default:
      wanted = wanted_text(setting, text_of(value));
  }
  return wanted.empty() ? "" : wrong_value_text(setting.key, value, wanted);
}

std::string problem_of_name(const json& name) {
  if (is_cni_id(text_of(name))) return "";
  return wrong_value_text(
      "name", name,
      "a network name: letters, digits, '_', '.', '-'; it starts with a letter or digit");
}

Result<IpNet> read_cidr(const std::string& key, const json& value) {
  const auto net = IpNet::parse(text_of(value));
  if (!net)
    return failure(
        EINVAL, wrong_value_text(key, value, "a network in CIDR notation, like \"10.200.0.0/24\""));
  if (*net != net->network())
    return failure(EINVAL, wrong_value_text(key, value,
                                            "a network: host bits are set; did you mean \"" +
                                                net->network().str() + "\"?"));
  return *net;
}

std::vector<std::string> words_of(const Setting& setting) {
  std::vector<std::string> words;
  for (const auto word : setting.allowed | std::views::split('|'))
    words.emplace_back(word.begin(), word.end());
  return words;
}

}  // namespace kubecni
