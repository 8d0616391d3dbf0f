#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <optional>

namespace kubecni {

/// What a runtime asks for one pod, beside the network's configuration.
struct PodRequests {
  std::optional<IpAddr> address;
  std::optional<MacAddr> mac;
  bool bandwidth = false;  ///< a limit, which a later plugin of the list makes
};

/// Looks, in this order, in `runtimeConfig` (ips, mac), in `args.cni` (ips, mac)
/// and in CNI_ARGS (IP, MAC): CNI conventions, "Dynamic plugin specific fields".
/// Errors: code 7 malformed; 2 more than one address, or one that is not IPv4.
CniResult<PodRequests> read_requests(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
