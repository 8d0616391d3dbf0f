#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_view.hpp"
#include "control/nodes/peer_path.hpp"
#include "dataplane/hook.hpp"
#include "kubecni/abi.h"
#include "net/neighbour.hpp"
#include "net/route.hpp"
#include "net/rule.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// The table in which pods' packets to nodes behind the tunnel are routed, and the
/// rule that sends them there: `ip route show table 84`.
inline constexpr unsigned kNodeTable = 84;
inline constexpr unsigned kNodeRulePriority = 8400;

/// The table of the devices by which packets of nodes behind the tunnel, and of their pods, may
/// come all the same: each node decides for itself how it sends. The rules that lead there are for
/// what has KUBECNI_MARK_REMOTE: the kernel's questions for the way back.
inline constexpr unsigned kWayBackTable = 86;
inline constexpr unsigned kWayBackRulePriority = 8300;

/// The rule by which all packets look into kBgpTable before the main table.
inline constexpr unsigned kBgpRulePriority = 8500;

/// A route's place: the table and the destination.
using RouteKey = std::pair<unsigned, IpNet>;

/// What has to be true on this node.
struct DesiredState {
  std::map<IpNet, kubecni_node> cidrs;                 ///< the maps node_cidrs4 and 6
  std::map<IpAddr, kubecni_tunnel_peer> tunnel_peers;  ///< likewise, with the markers
  std::map<RouteKey, Route> routes;                    ///< of our protocol
  std::set<Rule> rules;                                ///< of our protocol
  std::map<IpAddr, Neighbour> neighbours;              ///< of the tunnel device
  std::map<std::string, Device> wires;                 ///< devices with from_wire and to_wire
  unsigned mtu = 0;                                    ///< bytes, for pods
  std::vector<PeerPath> paths;                         ///< for people
  std::vector<SkippedNode> unreachable;
  std::vector<NodeWarning> warnings;

  /// Whether there are routes in kWayBackTable, and the names of the devices that they have.
  [[nodiscard]] bool has_ways_back() const;
  [[nodiscard]] std::set<std::string> devices_of_ways_back(const std::vector<Link>& links) const;
};

/// eBPF and the kernel reach each PodCIDR of a peer in the same way, the one of choose_path().
/// Reports PodCIDRs that cannot be reached, or whose route would take away what this node needs.
/// Warns of devices without an Ethernet header, by which only the kernel sends, and of doubtful
/// addresses: those of this node that are on no device; and, if `rules` do not name the nodes'
/// networks, public IPv4 addresses that are on no link of this node. Pure.
DesiredState plan_desired_state(const ClusterView& view, const Underlay& underlay,
                                const std::string& bridge, const ClusterRules& rules = {});

/// What of that is there for one `peer`. `state` is the plan for the others, of which only `wires`,
/// `mtu` and `rules` have to be there: these are of all peers together. Pure.
DesiredState plan_peer(const Node& peer, const Underlay& underlay, const std::string& bridge,
                       const ClusterRules& rules, DesiredState state);

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
