#include "config/reference.hpp"

#include "base/text.hpp"
#include "config/plugin_settings.hpp"
#include "config/settings.hpp"

namespace kubecni {

namespace {

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string row(const std::string& name, const std::string& fallback, std::string_view meaning) {
  const std::string cell = fallback.empty() ? "" : fallback + " ";
  return "| " + name + " | " + cell + "| " + std::string(meaning) + " |\n";
}

std::string default_cell(const Setting& setting) {
  if (!setting.shown_default.empty()) return std::string(setting.shown_default);
  if (setting.fallback.empty()) return "";
  return setting.type == Type::kNumber ? std::string(setting.fallback) : code(setting.fallback);
}

std::string plugin_table() {
  std::string table = "| key | default | meaning |\n| --- | --- | --- |\n";
  for (const Setting& setting : kSettings)
    if (is_of_plugin(setting) || setting.owner == Owner::kRuntime)
      table += row(code(setting.key), default_cell(setting), setting.meaning);
  return table;
}

std::string daemon_table() {
  std::string table = "| option | default | meaning |\n| --- | --- | --- |\n";
  for (const Setting& setting : kSettings)
    if (is_of_daemon(setting))
      table += row(code("--" + option_name(setting)), default_cell(setting),
                   setting.owner == Owner::kBoth
                       ? "as in the [network configuration](#network-configuration), and the same "
                         "as the plugin's"
                       : setting.meaning);
  return table;
}

std::string list_table() {
  std::string table = "| key of `cni` | default | meaning |\n| --- | --- | --- |\n";
  for (const Setting& setting : kSettings)
    if (setting.owner == Owner::kList)
      table += row(code(setting.key.substr(setting.key.find('.') + 1)), default_cell(setting),
                   setting.meaning);
  std::string keys;
  for (const auto& key : plugin_only_keys()) append_word(keys, code(key));
  return table +
         row(keys, "as the plugin's", "as in the [network configuration](#network-configuration)");
}

}  // namespace

std::string with_settings_tables(std::string_view page) {
  constexpr std::string_view kEnd = "<!-- end -->";
  std::string made(page);
  for (const auto& [name, table] :
       {std::pair{"plugin", plugin_table()}, {"daemon", daemon_table()}, {"list", list_table()}}) {
    const std::string begin = std::string("<!-- settings: ") + name + " -->\n";
    const auto from = made.find(begin);
    const auto to = made.find(kEnd, from);
    if (from == made.npos || to == made.npos) continue;
    made.replace(from, to - from, begin + "\n" + table + "\n");
  }
  return made;
}

}  // namespace kubecni
