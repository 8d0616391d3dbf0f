#pragma once

#include "cni_error.hpp"
#include "dataplane/kernel_path.hpp"
#include "ipam/lease_store.hpp"
#include "net_conf.hpp"
#include "node_settings.hpp"

#include <nlohmann/json.hpp>

#include <vector>

namespace kubecni {

/// What the pod's interface is given: its addresses and where they lead.
struct Addressing {
  std::vector<PodAddress> addresses;
  /// What is asked for, with a default route for each family, unless the configuration
  /// wants none.
  std::vector<PodRoute> routes;
  nlohmann::json dns = nlohmann::json::object();
};

/// Of a lease of our own.
/// Errors: code 7 the default route is wanted and nothing is a gateway.
CniResult<Addressing> addressing_of(const Lease& lease, const NodeSettings& node,
                                    const NetConf& conf);

/// Of the result of an IPAM plugin, in the shape of 1.1.0. Where it names no
/// gateway and the bridge is to be one, that is the subnet's first address.
/// Errors: code 7 it has no address; a pod would get its gateway's; a route needs
/// a gateway, or the default route is wanted, and there is none.
CniResult<Addressing> addressing_of(const nlohmann::json& ipam_result, const NetConf& conf);

}  // namespace kubecni
