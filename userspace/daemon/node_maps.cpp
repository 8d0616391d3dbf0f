#include "daemon/node_maps.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

namespace kubecni {

namespace {

std::string describe(const kubecni_node& entry) {
  if (entry.kind == KUBECNI_NODE_LOCAL) return "local";
  const std::string next_hop = next_hop_of(entry).str();
  if (entry.kind == KUBECNI_NODE_VXLAN) return "through the tunnel to " + next_hop;
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

void sync_node_maps(EbpfDataplane& dataplane, ReconcileReport& report) {
  auto cidrs = dataplane.node_cidrs.entries();
  auto peers = dataplane.tunnel_peers.entries();
  if (!cidrs || !peers)
    return report.errors.push_back(cidrs ? peers.error().what : cidrs.error().what);
  auto peer_changes = plan_changes(report.desired.tunnel_peers, *peers, kEqualBytes);
  // A marker, which makes the list one that refuses others, comes last and goes first.
  std::ranges::stable_partition(peer_changes.set, std::not_fn(kIsMarker));
  std::ranges::stable_partition(peer_changes.erase, kIsMarker);
  for (const auto& [address, peer] : peer_changes.set)
    report.apply(dataplane.tunnel_peers.set(address, peer), "map " + describe_peer(address));
  const auto changes = plan_changes(report.desired.cidrs, *cidrs, kEqualBytes);
  for (const auto& [cidr, entry] : changes.set)
    report.apply(dataplane.node_cidrs.set(cidr, entry),
                 "map " + cidr.str() + " " + describe(entry));
  for (const auto& [cidr, entry] : changes.erase)
    report.apply(dataplane.node_cidrs.erase(cidr), "map " + cidr.str() + " removed");
  for (const auto& [address, peer] : peer_changes.erase)
    report.apply(dataplane.tunnel_peers.erase(address), "map no longer: " + describe_peer(address));
}

}  // namespace kubecni
