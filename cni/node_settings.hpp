#pragma once

#include "cni_error.hpp"
#include "ipam/pool.hpp"
#include "net_conf.hpp"

#include <vector>

namespace kubecni {

/// What pods of this node get: from the configuration, else from what the daemon has learned and
/// saved.
struct NodeSettings {
  /// A pod gets one address of each; empty if an IPAM plugin allocates.
  std::vector<PoolSet> pool_sets;
  unsigned mtu;  ///< bytes
};

/// Errors: code 11 the node's subnet is not known from either; 7 nothing can be allocated from the
/// subnet or a range.
CniResult<NodeSettings> node_settings(const NetConf& conf);

}  // namespace kubecni
