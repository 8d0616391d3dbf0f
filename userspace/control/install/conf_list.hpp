#pragma once

#include "base/result.hpp"
#include "control/options.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni {

/// kube-cni's entry in the list: its settings in "cni", and those options of the daemon that differ
/// from the plugin's defaults. Pure.
nlohmann::json plugin_entry(const DaemonOptions& options);

/// Whether the plugin will accept its entry. Uses the plugin's own parser.
/// Errors: EINVAL it will not; the error names the key.
Result<> check_plugin_entry(const DaemonOptions& options);

/// A chained plugin, with the versions of the specification that it supports, or with the reason
/// why it cannot be in the list.
struct ChainLink {
  nlohmann::json conf;
  Result<std::vector<std::string>> versions;
};

/// What is in the list, and what is not.
struct ChainPlan {
  std::vector<std::string> versions;  ///< that all plugins in the list support, oldest first
  std::vector<nlohmann::json> plugins;
  struct LeftOut {
    std::string type;
    std::string reason;
  };
  std::vector<LeftOut> left_out;
};

/// Leaves out plugins with which every pod would fail: a runtime fails a pod if a plugin of the
/// list has no program, or does not support the list's version. So a plugin is left out if it
/// shares no version with those before it. `own_versions`: those of kube-cni. Pure.
ChainPlan plan_chain(const std::vector<std::string>& own_versions,
                     const std::vector<ChainLink>& links);

/// The text of the list. Runtimes from before CNI 1.1.0 read only "cniVersion", and fail pods for
/// results of 1.1.0. So "cniVersion" is at most 1.0.0, and "cniVersions" has the higher versions
/// that all plugins support. Pure.
std::string make_conf_list(const DaemonOptions& options, const ChainPlan& chain);

}  // namespace kubecni
