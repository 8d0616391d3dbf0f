#include "control/install/conf_list.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/check.hpp"
#include "config/cni_spec.hpp"
#include "config/plugin_settings.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

// The first version whose results Kubernetes' runtimes can read.
constexpr std::string_view kOldestVersion = "0.3.1";
// Runtimes with a CNI library before 1.2 support no later version.
constexpr std::string_view kVersionForAll = "1.0.0";

/// The versions of `wanted` that are also in `versions`.
std::vector<std::string> common_to(const std::vector<std::string>& wanted,
                                   const std::vector<std::string>& versions) {
  std::vector<std::string> common;
  for (const auto& version : wanted)
    if (std::ranges::find(versions, version) != versions.end()) common.push_back(version);
  return common;
}

/// Whether the runtime tells the plugin `type` of the chain what `capability` is about.
bool is_told(const std::vector<json>& plugins, const char* type, const char* capability) {
  return std::ranges::any_of(plugins, [&](const json& plugin) {
    return text_of(member(plugin, "type")) == type &&
           member(member(plugin, "capabilities"), capability) == true;
  });
}

/// What the runtime has to tell kube-cni: the host ports, unless the plugin `portmap` makes them,
/// and the limits of bandwidth, also those that the plugin `bandwidth` makes.
json capabilities_beside(const std::vector<json>& plugins) {
  json capabilities{{"bandwidth", true}};
  if (!is_told(plugins, "portmap", "portMappings")) capabilities["portMappings"] = true;
  return capabilities;
}

}  // namespace

json plugin_entry(const DaemonOptions& options) {
  const PluginSettings defaults;
  json entry = options.cni.plugin;
  entry["type"] = "kube-cni";
  if (options.bridge != defaults.bridge) entry["bridge"] = options.bridge;
  if (options.mode != default_of("mode")) entry["mode"] = options.mode;
  if (options.dataplane != default_of("dataplane")) entry["dataplane"] = options.dataplane;
  if (options.state_dir != defaults.state_dir) entry["stateDir"] = options.state_dir;
  if (options.run_dir != defaults.run_dir) entry["runDir"] = options.run_dir;
  if (options.bpffs != defaults.bpffs) entry["bpffs"] = options.bpffs;
  if (options.max_flows != defaults.max_flows) entry["maxFlows"] = options.max_flows;
  if (!entry.contains("confDir") && options.cni.conf_dir != defaults.conf_dir)
    entry["confDir"] = options.cni.conf_dir;
  return entry;
}

Result<> check_plugin_entry(const DaemonOptions& options) {
  constexpr const char* kWhere = "in the plugin's configuration: ";
  if (auto problem = problem_of_name(options.cni.network); !problem.empty())
    return failure(EINVAL, kWhere + problem);
  const auto read = read_plugin_settings(plugin_entry(options));
  if (!read) return failure(EINVAL, kWhere + read.error().what);
  return {};
}

ChainPlan plan_chain(const std::vector<std::string>& own_versions,
                     const std::vector<ChainLink>& links) {
  ChainPlan plan;
  for (const auto version : kSupportedVersions)
    if (is_at_least(version, kOldestVersion)) plan.versions.emplace_back(version);
  plan.versions = common_to(plan.versions, own_versions);
  for (const ChainLink& link : links) {
    const std::string type = text_of(member(link.conf, "type"));
    if (!link.versions) {
      plan.left_out.push_back({type, link.versions.error().what});
      continue;
    }
    auto common = common_to(plan.versions, *link.versions);
    if (common.empty()) {
      plan.left_out.push_back({type, "speaks " + joined(*link.versions) +
                                         "; those before it in the list speak " +
                                         joined(plan.versions)});
      continue;
    }
    plan.versions = std::move(common);
    plan.plugins.push_back(link.conf);
  }
  return plan;
}

std::string make_conf_list(const DaemonOptions& options, const ChainPlan& chain) {
  json first = plugin_entry(options);
  json capabilities = capabilities_beside(chain.plugins);
  if (const auto given = first.find("capabilities"); given != first.end())
    capabilities.update(*given);
  first["capabilities"] = std::move(capabilities);
  json list{{"name", options.cni.network}, {"plugins", json::array({first})}};
  for (const json& plugin : chain.plugins) list["plugins"].push_back(plugin);

  const auto newer = std::ranges::find_if(chain.versions, [](const std::string& version) {
    return version != kVersionForAll && is_at_least(version, kVersionForAll);
  });
  const auto basis = newer == chain.versions.begin() ? newer : std::prev(newer);
  list["cniVersion"] = *basis;
  if (std::next(basis) != chain.versions.end())
    list["cniVersions"] = std::vector<std::string>(basis, chain.versions.end());
  return list.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace kubecni
