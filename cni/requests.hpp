#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"
#include "state/bandwidth.hpp"
#include "state/port_mapping.hpp"

#include <optional>
#include <vector>

namespace kubecni {

/// What a runtime requests for one pod, besides the network's configuration.
struct PodRequests {
  std::vector<IpAddr> addresses;
  std::optional<MacAddr> mac;
  Bandwidth bandwidth;
  std::vector<PortMapping> mappings;
};

/// The host ports in `runtimeConfig.portMappings`. As the reference plugin portmap, reads the keys
/// and protocols in any letter case; TCP is the default. Leaves out those without a hostPort, or
/// with 0: the runtime does not want one. Errors: code 7 malformed, or two that contradict.
CniResult<std::vector<PortMapping>> read_port_mappings(const nlohmann::json& runtime_config);

/// The limits in `runtimeConfig.bandwidth`, in bits as CNI's conventions say. A rate of 0 is none.
/// Leaves out a burst that is what runtimes give when nobody has set one. Errors: code 7 malformed.
CniResult<Bandwidth> read_bandwidth(const nlohmann::json& runtime_config);

/// Looks, in this order, in `runtimeConfig` (ips, mac), in `args.cni` (ips, mac)
/// and in CNI_ARGS (IP, MAC): CNI conventions, "Dynamic plugin specific fields". Bandwidth and
/// host ports are only in `runtimeConfig`. Errors: code 7 malformed.
CniResult<PodRequests> read_requests(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
