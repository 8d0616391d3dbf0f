#pragma once

#include "base/ip.hpp"
#include "daemon/cluster_rules.hpp"
#include "daemon/cni_options.hpp"
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
  std::string startup_taint;       ///< key of a taint to remove; empty: none
  std::string dataplane = "auto";  ///< "auto", "ebpf", "bridge"
  Routing routing = Routing::kAuto;
  TunnelOptions tunnel;
  ClusterRules rules;
  bool masquerade = true;
  std::vector<IpNet> non_masquerade_cidrs;
  std::filesystem::path state_dir = "/var/lib/kube-cni";
  std::filesystem::path run_dir = "/run/kube-cni";
  std::filesystem::path bpffs = "/sys/fs/bpf/kube-cni";
  std::string bridge = "cni0";
  CniOptions cni;
  /// Where metrics and health are served: ListenAddress, or "off" or empty: nowhere.
  std::string metrics_address = "127.0.0.1:9484";
  std::string log_level = "info";
};

/// The options, or the exit status after help or an error was printed. What the command
/// line says counts more than the file that `--config` names.
std::expected<DaemonOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace kubecni
