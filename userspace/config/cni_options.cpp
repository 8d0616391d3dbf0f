#include "config/cni_options.hpp"

#include "base/json.hpp"
#include "config/check.hpp"
#include "config/cni_spec.hpp"
#include "config/plugin_settings.hpp"

#include <algorithm>

namespace kubecni {

using nlohmann::json;

namespace {

/// Whether the daemon has this setting, too; both must have the same value.
bool is_shared(std::string_view key) {
  return std::ranges::any_of(kSettings, [&](const Setting& setting) {
    return setting.owner == Owner::kBoth && setting.key == key;
  });
}

void check_capabilities(const std::string& key, const json& value, Problems& problems) {
  if (!value.is_object()) return problems.push_back(wrong_value_text(key, value, "an object"));
  for (const auto& [capability, wanted] : value.items())
    if (!wanted.is_boolean())
      problems.push_back(wrong_value_text(key + "." + capability, wanted, "true or false"));
}

void check_link(const std::string& key, const json& value, Problems& problems) {
  if (!value.is_object()) return problems.push_back(wrong_value_text(key, value, "an object"));
  const json& type = member(value, "type");
  // It becomes the name of a file.
  if (!is_cni_id(text_of(type)))
    problems.push_back(wrong_value_text(key + ".type", type, "the name of a plugin"));
  else if (type == "kube-cni")
    problems.push_back("\"" + key + "\": kube-cni is already in the list");
  if (const json& given = member(value, "capabilities"); !given.is_null())
    check_capabilities(key + ".capabilities", given, problems);
}

void read_chain(const json& chain, CniOptions& options, Problems& problems) {
  if (!chain.is_array())
    return problems.push_back(
        wrong_value_text("cni.chain", chain, "a list of plugins' configurations"));
  for (std::size_t i = 0; i < chain.size(); ++i)
    check_link("cni.chain[" + std::to_string(i) + "]", chain[i], problems);
  options.chain = chain.get<std::vector<json>>();
}

std::string unknown(const std::string& key) {
  if (is_shared(key))
    return "\"cni." + key + "\": set \"" + key +
           "\" outside of \"cni\"; it is for daemon and plugin";
  std::vector<std::string> known = plugin_only_keys();
  for (const Setting& setting : kSettings)
    if (setting.owner == Owner::kList)
      known.emplace_back(setting.key.substr(kCniSection.size() + 1));
  return "\"cni." + key + "\" is not a setting" + hint_for(key, known);
}

}  // namespace

Problems read_cni_section(const json& section, CniOptions& options) {
  Problems problems;
  if (!section.is_object())
    return {wrong_value_text(std::string(kCniSection), section, "an object")};
  for (const auto& [key, value] : section.items()) {
    if (key == "name") {
      options.network = text_of(value);
      if (!value.is_string())
        problems.push_back(wrong_value_text("cni.name", value, "a text in quotes"));
    } else if (key == "chain") {
      read_chain(value, options, problems);
    } else if (key == "capabilities") {
      check_capabilities("cni.capabilities", value, problems);
      options.plugin[key] = value;
    } else if (key == "dns" && !value.is_object()) {
      problems.push_back(
          wrong_value_text("cni.dns", value, "an object"));  // the plugin only passes it on
    } else if (is_plugin_key(key) && !is_shared(key)) {
      options.plugin[key] = value;
    } else {
      problems.push_back(unknown(key));
    }
  }
  return problems;
}

}  // namespace kubecni
