#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"
#include "state/port_mapping.hpp"

#include <optional>
#include <vector>

namespace kubecni {

/// What a runtime requests for one pod, besides the network's configuration.
struct PodRequests {
  std::vector<IpAddr> addresses;
  std::optional<MacAddr> mac;
  bool bandwidth = false;  ///< a limit, which a later plugin of the list sets
  std::vector<PortMapping> mappings;
};

/// The host ports in `runtimeConfig.portMappings`. As the reference plugin portmap, reads the keys
/// and protocols in any letter case; TCP is the default. Leaves out those without a hostPort, or
/// with 0: the runtime does not want one. Errors: code 7 malformed, or two that contradict.
CniResult<std::vector<PortMapping>> read_port_mappings(const nlohmann::json& runtime_config);

/// Looks, in this order, in `runtimeConfig` (ips, mac), in `args.cni` (ips, mac)
/// and in CNI_ARGS (IP, MAC): CNI conventions, "Dynamic plugin specific fields". Host ports are
/// only in `runtimeConfig`. Errors: code 7 malformed.
CniResult<PodRequests> read_requests(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
