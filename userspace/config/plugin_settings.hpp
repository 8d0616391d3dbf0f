#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "config/ipam_conf.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

enum class DataplaneMode {
  kAuto,    ///< eBPF where it can be loaded, else the kernel path
  kEbpf,    ///< eBPF, or ADD fails
  kBridge,  ///< the kernel path alone
};

/// How programs are attached to pods' veths.
enum class PodHooks {
  kAuto,  ///< filters if no plugin of the list is known to need their place
  kTcx,
  kClsact,
};

/// What an operator configures for the plugin.
struct PluginSettings {
  std::string bridge{default_of("bridge")};
  std::optional<unsigned> mtu;  ///< bytes
  DataplaneMode dataplane = DataplaneMode::kAuto;
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
  std::filesystem::path conf_dir = default_of("confDir");  ///< where the runtime has its lists
  PodHooks pod_hooks = PodHooks::kAuto;
  std::string log_level{default_of("logLevel")};
  /// This node's pods: from `subnet` or `ipam.ranges`; if neither is set, what the daemon has
  /// learned.
  std::optional<IpNet> subnet;
  IpamConf ipam;
  nlohmann::json dns = nlohmann::json::object();
  bool is_gateway = true;  ///< the bridge has the gateway's address
  /// Whether the pod's default routes lead here: true: before those of its other interfaces; false:
  /// never. Empty: only if the pod has none yet.
  std::optional<bool> is_default_gateway;
};

/// Whether the plugin reads `key` of the network configuration as a setting.
bool is_plugin_key(std::string_view key);

/// The keys that "cni" of the settings file may have for the plugin.
std::vector<std::string> plugin_only_keys();

/// Reads them from the network configuration `conf`; ignores the keys of others.
/// Errors: EINVAL a value is wrong, naming the first such key.
Result<PluginSettings> read_plugin_settings(const nlohmann::json& conf);

}  // namespace kubecni
