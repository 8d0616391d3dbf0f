#pragma once

#include "base/ip.hpp"
#include "cni_error.hpp"
#include "dataplane/hook.hpp"
#include "ipam/lease_record.hpp"
#include "ipam_conf.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The versions of the specification that the plugin speaks, oldest first.
inline constexpr std::array<std::string_view, 7> kSupportedVersions{
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

/// Whether version `version` is `other` or a later one; both are supported ones.
bool is_at_least(std::string_view version, std::string_view other);

enum class DataplaneMode {
  kAuto,    ///< eBPF where it can be loaded, else the kernel path
  kEbpf,    ///< eBPF, or ADD fails
  kBridge,  ///< the kernel path alone
};

/// The network configuration that the runtime gives on standard input.
struct NetConf {
  std::string cni_version;
  std::string name;
  std::string bridge = "cni0";
  std::optional<unsigned> mtu;  ///< bytes
  DataplaneMode dataplane = DataplaneMode::kAuto;
  std::filesystem::path state_dir = "/var/lib/kube-cni";
  std::filesystem::path run_dir = "/run/kube-cni";
  std::filesystem::path bpffs = "/sys/fs/bpf/kube-cni";
  std::filesystem::path conf_dir = "/etc/cni/net.d";  ///< where the runtime has its lists
  /// How programs are held on pods' veths; empty: filters where it is known that no
  /// plugin of the list needs their place.
  std::optional<AttachKind> pod_hooks;
  std::string log_level = "info";
  /// This node's pods. What of `subnet` and `ipam.ranges` is set counts; when
  /// neither is, what the daemon has learned.
  std::optional<IpNet> subnet;
  IpamConf ipam;
  nlohmann::json dns = nlohmann::json::object();
  bool is_gateway = true;  ///< the bridge has the gateway's address
  /// Whether the pod's default routes lead here: before those of its other interfaces,
  /// or never. Empty: where it has none yet.
  std::optional<bool> is_default_gateway;
  nlohmann::json prev_result;     ///< as it came; null when there is none
  nlohmann::json runtime_config;  ///< "runtimeConfig"; null when there is none
  nlohmann::json cni_args;        ///< "args" -> "cni"; null when there is none
  nlohmann::json raw;             ///< the whole configuration, for delegates
  std::string text;               ///< the same as it came
  /// GC's list of what is in use; empty optional when the runtime sent none.
  std::optional<std::vector<LeaseOwner>> valid_attachments;
};

/// The cniVersion of a configuration that may be damaged otherwise; the newest
/// one we speak when there is none, so that an error can be answered.
std::string cni_version_for_errors(const std::string& text);

/// The runDir of a configuration that may be damaged otherwise; the default when
/// there is none.
std::filesystem::path run_dir_for_counts(const std::string& text);

/// The keys of the configuration by which an operator sets the plugin up; the others
/// are the specification's, or filled in by the runtime.
inline constexpr std::array<std::string_view, 15> kSettingKeys{
    "bpffs",   "bridge",           "confDir",   "dataplane", "dns",
    "ipam",    "isDefaultGateway", "isGateway", "logLevel",  "mtu",
    "network", "podHooks",         "runDir",    "stateDir",  "subnet"};

/// Errors: code 6 no JSON object; 1 the version is not supported; 7 a key has a
/// wrong value, naming it.
CniResult<NetConf> parse_net_conf(const std::string& text);

}  // namespace kubecni
