#pragma once

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/link.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"
#include "net/route.hpp"
#include "state/pod_port.hpp"

#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// What the node's kernel has of all pods and their bridges, read at once.
struct HostState {
  std::vector<Link> links;
  std::map<unsigned, BridgePort> ports;  ///< by ifindex
  std::vector<FdbEntry> fdb;             ///< sorted
  std::vector<Neighbour> neighbours;     ///< permanent ones, sorted
  std::vector<Route> routes;             ///< to pods in mode ptp, sorted
  std::vector<LinkAddress> addresses;

  [[nodiscard]] const Link* find(const std::string& name) const;
};

/// Runs in the node's namespace.
Result<HostState> read_host_state(NetlinkSocket& node);

/// What is wrong with the pod's port, a phrase each: what restore_pod_port() puts right. Both
/// links have to be there.
std::vector<std::string> port_differences(const HostState& state, const PodPort& port,
                                          const Link& host, const Link& gateway_device);

/// What is wrong, a phrase each.
struct Differences {
  std::vector<std::string> of_pod;   ///< this pod alone lacks it
  std::vector<std::string> of_node;  ///< all pods of the bridge lack it, or lost it with the bridge
};

/// What is wrong with the node's side of the pod's kernel path: its port, its bridge, and whether
/// one of them is missing.
Differences host_differences(const HostState& state, const PodPort& port);

}  // namespace kubecni
