#pragma once

#include "base/ip.hpp"
#include "daemon/cluster_view.hpp"
#include "dataplane/hook.hpp"
#include "kubecni/abi.h"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/route.hpp"

#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// How this node reaches the pods of another.
struct PeerPath {
  std::string node;
  IpNet cidr;
  IpAddr next_hop;
  Device device;
  unsigned mtu = 0;  ///< bytes
};

/// A device that leads to other nodes, with one of its networks.
struct Uplink {
  Device device;
  IpNet net;
  unsigned mtu = 0;  ///< bytes
};

/// What has to be true on this node.
struct DesiredState {
  std::map<IpNet, kubecni_node> cidrs;  ///< the maps node_cidrs4 and node_cidrs6
  std::map<IpNet, Route> routes;        ///< of our protocol
  std::map<std::string, Device> wires;  ///< devices with from_wire and to_wire
  unsigned mtu = 0;                     ///< bytes, for pods
  std::vector<PeerPath> paths;          ///< for people
  std::vector<SkippedNode> unreachable;
};

/// The devices over which other nodes may be reached: up, with an IPv4 address,
/// and neither the pods' bridge nor the loopback.
std::vector<Uplink> find_uplinks(const std::vector<Link>& links,
                                 const std::vector<LinkAddress>& addresses,
                                 const std::string& bridge);

/// Pure. A peer is reached directly when one of its addresses is in the network
/// of an uplink; others are reported as unreachable.
DesiredState plan_desired_state(const ClusterView& view, const std::vector<Uplink>& uplinks);

/// What must be written and erased so that `actual` equals `wanted`. Pure.
template <typename Key, typename Value>
struct Changes {
  std::vector<std::pair<Key, Value>> set;
  std::vector<std::pair<Key, Value>> erase;  ///< with the value that is there
};
template <typename Key, typename Value, typename Equal>
Changes<Key, Value> plan_changes(const std::map<Key, Value>& wanted,
                                 const std::map<Key, Value>& actual, Equal equal) {
  Changes<Key, Value> changes;
  for (const auto& [key, value] : wanted) {
    const auto found = actual.find(key);
    if (found == actual.end() || !equal(found->second, value)) changes.set.emplace_back(key, value);
  }
  for (const auto& [key, value] : actual) {
    if (!wanted.contains(key)) changes.erase.emplace_back(key, value);
  }
  return changes;
}

}  // namespace kubecni
