#pragma once

#include "base/result.hpp"
#include "control/options.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni {

/// kube-cni's entry in the list: what the settings say of it, and of the daemon's own
/// options those that are not the plugin's defaults. Pure.
nlohmann::json plugin_entry(const DaemonOptions& options);

/// Whether the plugin will take its entry, by the parser that the plugin uses.
/// Errors: EINVAL it will not, naming the key.
Result<> check_plugin_entry(const DaemonOptions& options);

/// A chained plugin, and the versions of the specification that it says it speaks, or
/// why it cannot be in the list.
struct ChainLink {
  nlohmann::json conf;
  Result<std::vector<std::string>> versions;
};

/// What is in the list, and what is not.
struct ChainPlan {
  std::vector<std::string> versions;  ///< that all in the list speak, the oldest first
  std::vector<nlohmann::json> plugins;
  struct LeftOut {
    std::string type;
    std::string reason;
  };
  std::vector<LeftOut> left_out;
};

/// Leaves out whom the list would fail with: a runtime fails a pod when it finds no program
/// for one plugin of the list, or when one plugin does not speak the list's version. A
/// plugin that speaks no version of those before it is left out. Pure.
/// `own_versions`: what kube-cni itself says.
ChainPlan plan_chain(const std::vector<std::string>& own_versions,
                     const std::vector<ChainLink>& links);

/// The text of the list. It is of the highest version that all speak, but says so in a way
/// that runtimes from before CNI 1.1.0 take, too: those would fail a pod for a result of
/// 1.1.0, and do not look at "cniVersions". Pure.
std::string make_conf_list(const DaemonOptions& options, const ChainPlan& chain);

}  // namespace kubecni
