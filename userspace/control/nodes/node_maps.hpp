#pragma once

#include "base/result.hpp"
#include "control/nodes/desired_state.hpp"
#include "control/outcome.hpp"
#include "dataplane/ebpf_dataplane.hpp"

namespace kubecni {

/// What the maps of nodes and of tunnel peers have.
struct NodeMaps {
  std::map<IpNet, kubecni_node> cidrs;
  std::map<IpAddr, kubecni_tunnel_peer> tunnel_peers;
};

struct NodeMapChanges {
  Changes<IpNet, kubecni_node> cidrs;
  /// A marker, which makes the list one that refuses others, is the last one to be set and
  /// the first one to be erased.
  Changes<IpAddr, kubecni_tunnel_peer> tunnel_peers;
};

/// Errors: those of reading a map.
Result<NodeMaps> read_node_maps(EbpfDataplane& dataplane);

/// Pure.
NodeMapChanges plan_node_maps(const DesiredState& wanted, const NodeMaps& found);

/// Adds before it deletes, and goes on after an error.
void apply_node_maps(EbpfDataplane& dataplane, const NodeMapChanges& changes, Outcome& outcome);

}  // namespace kubecni
