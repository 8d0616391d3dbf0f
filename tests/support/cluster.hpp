#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/node.hpp"
#include "control/nodes/peer_path.hpp"
#include "support/ip.hpp"

#include <string>
#include <vector>

namespace kubecni::test {

inline Node node(const std::string& name, const std::string& internal_ip,
                 const std::string& pod_cidr) {
  return {name, {addr(internal_ip)}, {net(pod_cidr)}};
}

/// A node with addresses and PodCIDRs of both families.
inline Node dual_node(const std::string& name, const std::string& ip4, const std::string& cidr4,
                      const std::string& ip6, const std::string& cidr6) {
  return {name, {addr(ip4), addr(ip6)}, {net(cidr4), net(cidr6)}};
}

inline Uplink uplink(unsigned ifindex, const std::string& name, const std::string& address,
                     unsigned mtu) {
  return {.device = {ifindex, name}, .net = net(address), .mtu = mtu};
}

/// Two uplinks of n1, and its tunnel.
inline Underlay underlay(Routing routing = Routing::kAuto) {
  Underlay made;
  made.routing = routing;
  made.uplinks = {uplink(2, "eth0", "192.0.2.1/24", 1400),
                  uplink(3, "eth1", "198.51.100.1/24", 9000)};
  made.own_addresses = {addr("192.0.2.1")};
  made.local_addresses = {addr("127.0.0.1"), addr("192.0.2.1"), addr("198.51.100.1")};
  made.tunnel.emplace();
  made.tunnel->device = {9, "kcni.vxlan"};
  made.tunnel->mac = MacAddr::derived_from(addr("192.0.2.1"));
  made.tunnel->vni = 84;
  return made;
}

inline ClusterView view_of(const std::vector<Node>& peers) {
  return {.self = node("n1", "192.0.2.1", "10.200.1.0/24"),
          .peers = peers,
          .skipped = {},
          .owners = {}};
}

}  // namespace kubecni::test
