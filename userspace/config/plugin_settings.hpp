#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "config/ipam_conf.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
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

/// How a pod is connected to its node.
enum class PodMode {
  kBridge,  ///< its veth is a port of the bridge
  kPtp,     ///< the node routes to its veth
};

/// How programs are attached to pods' veths.
enum class PodHooks {
  kAuto,    ///< filters if every plugin of the list is known to leave them alone
  kTcx,     ///< links
  kClsact,  ///< filters
};

/// What an operator configures for the plugin.
struct PluginSettings {
  std::string bridge{default_of("bridge")};
  std::string uplink;  ///< the device by which the bridge's pods are in a network; or empty
  PodMode mode = PodMode::kBridge;
  std::optional<unsigned> mtu;  ///< bytes
  DataplaneMode dataplane = DataplaneMode::kAuto;
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
  std::uint32_t max_flows = default_number("maxFlows");    ///< of each flow cache that is made
  std::filesystem::path conf_dir = default_of("confDir");  ///< where the runtime has its lists
  PodHooks pod_hooks = PodHooks::kAuto;
  std::string log_level{default_of("logLevel")};
  /// How long ADD waits for the pod's policies.
  std::chrono::seconds policy_timeout{default_number("policyTimeout")};
  /// The network of this node's pods, unless `ipam` says it. If neither does: what the daemon has
  /// learned.
  std::optional<IpNet> subnet;
  IpamConf ipam;
  nlohmann::json dns = nlohmann::json::object();
  bool is_gateway = true;  ///< the bridge has the gateway's address
  /// Whether the pod gets default routes to the gateway. True: before those of its other
  /// interfaces; false: never. Empty: for each family in which it has none yet.
  std::optional<bool> is_default_gateway;
};

/// Whether the plugin reads `key` of the network configuration as a setting.
bool is_plugin_key(std::string_view key);

/// The keys in "cni" of the settings file that are only for the plugin.
std::vector<std::string> plugin_only_keys();

/// Reads the settings from the network configuration `conf`, and ignores all other keys.
/// Errors: EINVAL a value is wrong; the error names the first such key.
Result<PluginSettings> read_plugin_settings(const nlohmann::json& conf);

}  // namespace kubecni
