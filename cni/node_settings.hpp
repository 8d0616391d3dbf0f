#pragma once

#include "cni_error.hpp"
#include "ipam/pool.hpp"
#include "net_conf.hpp"

#include <vector>

namespace kubecni {

/// What pods of this node get: from the configuration, or else from what the
/// daemon has learned and left on disk.
struct NodeSettings {
  /// A pod gets an address of each; empty when an IPAM plugin allocates.
  std::vector<PoolSet> pool_sets;
  unsigned mtu;  ///< bytes
};

/// Errors: code 11 neither says what the node's subnet is; 7 the subnet or a range
/// is none to allocate from.
CniResult<NodeSettings> node_settings(const NetConf& conf);

}  // namespace kubecni
