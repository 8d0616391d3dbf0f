#pragma once

#include "cni_error.hpp"
#include "dataplane/kernel_path.hpp"
#include "ipam/lease_store.hpp"
#include "net_conf.hpp"
#include "node_settings.hpp"

#include <nlohmann/json.hpp>

#include <vector>

namespace kubecni {

/// The addresses and routes of the pod's interface.
struct Addressing {
  std::vector<PodAddress> addresses;
  /// The requested routes, plus a default route for each family, unless the configuration wants
  /// none; in mode ptp, also those to the subnets of the addresses.
  std::vector<PodRoute> routes;
  nlohmann::json dns = nlohmann::json::object();
};

/// From a lease of our own.
/// Errors: code 7 the default route is wanted, but there is no gateway.
CniResult<Addressing> addressing_of(const Lease& lease, const NodeSettings& node,
                                    const NetConf& conf);

/// From the result of an IPAM plugin, in the shape of 1.1.0. If it names no gateway and the bridge
/// is to be one, the gateway is the subnet's first address.
/// Errors: code 7 it has no address; a pod would get its gateway's address; a route, or the wanted
/// default route, has no gateway.
CniResult<Addressing> addressing_of(const nlohmann::json& ipam_result, const NetConf& conf);

}  // namespace kubecni
