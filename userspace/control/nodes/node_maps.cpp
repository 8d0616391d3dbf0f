#include "control/nodes/node_maps.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

namespace kubecni {

namespace {

std::string describe(const kubecni_node& entry) {
  if (entry.kind == KUBECNI_NODE_LOCAL) return "local";
  const std::string next_hop = next_hop_of(entry).str();
  if (entry.kind == KUBECNI_NODE_VXLAN)
    return "through the tunnel to " + next_hop +
           (entry.outer_ifindex != 0 ? ", its header made by eBPF" : "");
  return "via " + next_hop + " device " + std::to_string(entry.egress_ifindex);
}

constexpr auto kEqualBytes = [](const auto& a, const auto& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
};

constexpr auto kIsMarker = [](const auto& entry) {
  return entry.first == IpAddr::any(entry.first.family());
};

std::string describe_peer(const IpAddr& address) {
  if (address == IpAddr::any(AF_INET)) return "nobody else over IPv4 may use the tunnel";
  if (address == IpAddr::any(AF_INET6)) return "nobody else over IPv6 may use the tunnel";
  return address.str() + " may use the tunnel";
}

}  // namespace

Result<NodeMaps> read_node_maps(EbpfDataplane& dataplane) {
  auto cidrs = dataplane.node_cidrs.entries();
  if (!cidrs) return fail(cidrs);
  auto peers = dataplane.tunnel_peers.entries();
  if (!peers) return fail(peers);
  return NodeMaps{std::move(*cidrs), std::move(*peers)};
}

NodeMapChanges plan_node_maps(const DesiredState& wanted, const NodeMaps& found) {
  NodeMapChanges changes{plan_changes(wanted.cidrs, found.cidrs, kEqualBytes),
                         plan_changes(wanted.tunnel_peers, found.tunnel_peers, kEqualBytes)};
  std::ranges::stable_partition(changes.tunnel_peers.set, std::not_fn(kIsMarker));
  std::ranges::stable_partition(changes.tunnel_peers.erase, kIsMarker);
  return changes;
}

void apply_node_maps(EbpfDataplane& dataplane, const NodeMapChanges& changes, Outcome& outcome) {
  for (const auto& [address, peer] : changes.tunnel_peers.set)
    outcome.apply(dataplane.tunnel_peers.set(address, peer), "map " + describe_peer(address));
  for (const auto& [cidr, entry] : changes.cidrs.set)
    outcome.apply(dataplane.node_cidrs.set(cidr, entry),
                  "map " + cidr.str() + " " + describe(entry));
  for (const auto& [cidr, entry] : changes.cidrs.erase)
    outcome.apply(dataplane.node_cidrs.erase(cidr), "map " + cidr.str() + " removed");
  for (const auto& [address, peer] : changes.tunnel_peers.erase)
    outcome.apply(dataplane.tunnel_peers.erase(address),
                  "map no longer: " + describe_peer(address));
}

}  // namespace kubecni
