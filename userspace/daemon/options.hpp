#pragma once

#include "base/ip.hpp"
#include "config/cni_options.hpp"
#include "config/settings.hpp"
#include "daemon/cluster_rules.hpp"
#include "daemon/peer_path.hpp"
#include "daemon/tunnel_device.hpp"
#include "k8s/api_config.hpp"

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// What the operator says on the command line of kube-cnid, or in its settings file.
struct DaemonOptions {
  bool clean_up = false;  ///< the command `cleanup`: nothing but folders and bridge matters
  std::string node_name;
  std::string node_source;  ///< "file:PATH" or "kubernetes"
  ApiOptions api;
  std::string startup_taint;  ///< key of a taint to remove; empty: none
  std::string dataplane{default_of("dataplane")};
  Routing routing = Routing::kAuto;
  TunnelOptions tunnel;
  ClusterRules rules;
  bool masquerade = true;
  std::vector<IpNet> non_masquerade_cidrs;
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
  std::string bridge{default_of("bridge")};
  CniOptions cni;
  /// Where metrics and health are served: ListenAddress, or "off" or empty: nowhere.
  std::string metrics_address{default_of("metricsAddress")};
  std::string log_level{default_of("logLevel")};
};

/// The options, or the exit status after help or an error was printed. What the command
/// line says counts more than the file that `--config` names.
std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace kubecni
