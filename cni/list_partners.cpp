#include "list_partners.hpp"

#include "base/file.hpp"
#include "base/json.hpp"

#include <filesystem>

namespace kubecni {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool is_configuration(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".conflist" || extension == ".conf" || extension == ".json";
}

Partners plugins_of(const json& list) {
  Partners by_type;
  // A file may have a single plugin instead of a list.
  const json plugins = list.contains("plugins") ? list["plugins"] : json::array({list});
  for (const json& plugin : plugins) by_type.emplace(text_of(member(plugin, "type")), plugin);
  return by_type;
}

}  // namespace

std::optional<Partners> list_partners(const NetConf& conf) {
  std::error_code ignored;
  if (fs::exists(conf.conf_dir / conf.name, ignored)) return std::nullopt;
  const auto names = list_directory(conf.conf_dir);
  if (!names) return std::nullopt;
  std::optional<Partners> partners;
  for (const auto& name : *names) {
    if (!is_configuration(name)) continue;
    const auto text = read_file(conf.conf_dir / name);
    if (!text) return std::nullopt;
    const auto list = parse_json(*text);
    if (!list) return std::nullopt;
    if (text_of(member(*list, "name")) != conf.name) continue;
    auto plugins = plugins_of(*list);
    if (plugins.erase("kube-cni") == 0) continue;
    if (!partners) partners.emplace();
    partners->merge(plugins);
  }
  return partners;
}

}  // namespace kubecni
