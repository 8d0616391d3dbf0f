#pragma once

#include "cni_error.hpp"
#include "config/cni_spec.hpp"
#include "config/plugin_settings.hpp"
#include "ipam/lease_record.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The network configuration that the runtime gives on standard input: the operator's settings, and
/// what the specification and the runtime add.
struct NetConf : PluginSettings {
  std::string cni_version;
  std::string name;
  nlohmann::json prev_result;     ///< as it came; null when there is none
  nlohmann::json runtime_config;  ///< "runtimeConfig"; null when there is none
  nlohmann::json cni_args;        ///< "args" -> "cni"; null when there is none
  nlohmann::json raw;             ///< the whole configuration, for delegates
  std::string text;               ///< the unparsed text
  /// GC's list of what is in use; empty optional when the runtime sent none.
  std::optional<std::vector<LeaseOwner>> valid_attachments;
};

/// The cniVersion of a configuration that may otherwise be damaged, so that an error can be
/// answered. The newest version we support if it has none.
std::string cni_version_for_errors(const std::string& text);

/// The runDir of a configuration that may otherwise be damaged; the default if it has none.
std::filesystem::path run_dir_for_counts(const std::string& text);

/// Errors: code 6 not a JSON object; 1 the version is not supported; 7 a key has a
/// wrong value, naming it.
CniResult<NetConf> parse_net_conf(const std::string& text);

}  // namespace kubecni
