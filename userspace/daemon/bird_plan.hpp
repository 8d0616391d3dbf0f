#pragma once

#include "bgp/bird_config.hpp"
#include "cluster/cluster_view.hpp"
#include "control/nodes/peer_path.hpp"
#include "control/options.hpp"

namespace kubecni {

/// What BIRD has to do on this node, `view.self`, with `--routing bgp`.
///
/// It announces this node's PodCIDRs. From a node it takes routes to that node's PodCIDRs alone,
/// which lead to the node itself; from a `--bgp-peer`, those to the PodCIDRs of all other nodes.
/// Nothing else, and no PodCIDR that this node must not have a route to (why_harmful()).
///
/// The mesh has the nodes on a link. It has those behind a router, too, if there is a `--bgp-peer`:
/// without one, no router can know the PodCIDRs, and would drop what is sent to them. Pure.
BirdConfig plan_bird(const ClusterView& view, const Underlay& underlay,
                     const DaemonOptions& options);

}  // namespace kubecni
