#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "cni_env.hpp"
#include "cni_error.hpp"
#include "net_conf.hpp"

#include <optional>
#include <vector>

namespace kubecni {

/// What a runtime requests for one pod, besides the network's configuration.
struct PodRequests {
  std::vector<IpAddr> addresses;
  std::optional<MacAddr> mac;
  bool bandwidth = false;  ///< a limit, which a later plugin of the list sets
};

/// Looks, in this order, in `runtimeConfig` (ips, mac), in `args.cni` (ips, mac)
/// and in CNI_ARGS (IP, MAC): CNI conventions, "Dynamic plugin specific fields".
/// Errors: code 7 malformed.
CniResult<PodRequests> read_requests(const CniEnv& env, const NetConf& conf);

}  // namespace kubecni
