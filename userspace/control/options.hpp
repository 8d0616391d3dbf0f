#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_rules.hpp"
#include "config/bgp_options.hpp"
#include "config/cni_options.hpp"
#include "config/settings.hpp"
#include "k8s/api_config.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// How to reach the pods of other nodes.
enum class Routing {
  kAuto,    ///< each peer directly if it is on a link of this node, else by VXLAN
  kDirect,  ///< never by VXLAN: routers between nodes have to know the PodCIDRs
  kVxlan,   ///< always by VXLAN
  kBgp,     ///< by the routes that BIRD learns, else as BgpOptions::fallback says
};

/// The operator's settings of the tunnel.
struct TunnelOptions {
  std::uint16_t port = default_number("vxlanPort");  ///< UDP
  std::uint32_t vni = default_number("vxlanVni");
  std::string checksum_offload{
      default_of("vxlanChecksumOffload")};  ///< "on", "off", or "auto": what the probe finds
};

/// The operator's settings of kube-cnid: from its command line and its settings file.
struct DaemonOptions {
  bool clean_up = false;        ///< the command `cleanup`, which needs only folders and bridge
  bool clean_up_waits = false;  ///< until the node has no pods left
  std::string node_name;
  std::string node_source;  ///< "file:PATH" or "kubernetes"
  ApiOptions api;
  std::string startup_taint;  ///< key of a taint to remove; empty: none
  std::string dataplane{default_of("dataplane")};
  Routing routing = Routing::kAuto;
  TunnelOptions tunnel;
  BgpOptions bgp;
  ClusterRules rules;
  std::uint16_t probe_port = default_number("probePort");  ///< UDP; 0: other nodes are not tested
  bool network_policy = true;
  std::string policy_denied{default_of("policyDenied")};  ///< "drop" or "reject"
  bool policy_log = false;                                ///< packets that policies deny
  std::filesystem::path policy_file;  ///< empty: the policies come from the API server, if any
  bool masquerade = true;
  bool forward_rules = true;
  bool accept_ra = true;
  std::vector<IpNet> non_masquerade_cidrs;
  std::filesystem::path state_dir = default_of("stateDir");
  std::filesystem::path run_dir = default_of("runDir");
  std::filesystem::path bpffs = default_of("bpffs");
  std::uint32_t max_flows = default_number("maxFlows");  ///< of each flow cache that is made
  std::string bridge{default_of("bridge")};
  std::string mode{default_of("mode")};  ///< "bridge" or "ptp"
  CniOptions cni;
  /// The ListenAddress for metrics and health; "off" or empty: they are not served.
  std::string metrics_address{default_of("metricsAddress")};
  std::string health_address{default_of("healthAddress")};  ///< health alone
  std::string log_level{daemon_setting("logLevel").fallback};

  /// Whether new pods are on no bridge.
  [[nodiscard]] bool is_ptp() const { return mode == "ptp"; }
};

}  // namespace kubecni
