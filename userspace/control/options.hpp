#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_rules.hpp"
#include "config/cni_options.hpp"
#include "config/settings.hpp"
#include "k8s/api_config.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// How the pods of other nodes are to be reached.
enum class Routing {
  kAuto,    ///< each peer directly where it is on a link of ours, else by VXLAN
  kDirect,  ///< never by VXLAN: routers on the way have to know the PodCIDRs
  kVxlan,   ///< always by VXLAN
};

/// What the operator says about the tunnel.
struct TunnelOptions {
  std::uint16_t port = default_number("vxlanPort");  ///< UDP
  std::uint32_t vni = default_number("vxlanVni");
  std::string checksum_offload{
      default_of("vxlanChecksumOffload")};  ///< "auto": as the probe finds; "on", "off"
};

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
  std::uint16_t probe_port = default_number("probePort");  ///< UDP; 0: other nodes are not tested
  bool masquerade = true;
  bool forward_rules = true;
  bool accept_ra = true;
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

}  // namespace kubecni
