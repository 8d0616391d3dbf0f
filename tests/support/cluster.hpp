#pragma once

#include "base/ip.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/node.hpp"
#include "control/nodes/peer_path.hpp"
#include "support/ip.hpp"

#include <algorithm>
#include <optional>
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

/// What the kernel says of `address`, for all packets.
inline void add_way(Underlay& from, const std::string& address, const std::string& device,
                    std::optional<std::string> gateway = std::nullopt) {
  const auto link = std::ranges::find(from.links, device, &Link::name);
  const auto uplink = std::ranges::find_if(
      from.uplinks, [&](const Uplink& one) { return one.device.name == device; });
  const Way way{.device = {link->ifindex, link->name},
                .gateway = gateway ? std::optional(addr(*gateway)) : std::nullopt,
                .source = uplink->net.addr,
                .mtu = link->mtu,
                .has_ethernet = link->has_ethernet};
  from.ways[addr(address)] = from.tunnel_ways[addr(address)] = way;
}

/// Two uplinks of n1, with nodes on both, and its tunnel.
inline Underlay underlay(Routing routing = Routing::kAuto) {
  Underlay made;
  made.routing = routing;
  made.uplinks = {uplink(2, "eth0", "192.0.2.1/24", 1400),
                  uplink(3, "eth1", "198.51.100.1/24", 9000)};
  made.links = {{.ifindex = 2, .name = "eth0", .kind = {}, .mtu = 1400, .up = true},
                {.ifindex = 3, .name = "eth1", .kind = {}, .mtu = 9000, .up = true}};
  made.own_addresses = {addr("192.0.2.1")};
  made.local_addresses = {addr("127.0.0.1"), addr("192.0.2.1"), addr("198.51.100.1")};
  made.tunnel.emplace();
  made.tunnel->device = {9, "kcni.vxlan"};
  made.tunnel->mac = MacAddr::derived_from(addr("192.0.2.1"));
  made.tunnel->vni = 84;
  add_way(made, "192.0.2.2", "eth0");
  add_way(made, "192.0.2.7", "eth0");
  add_way(made, "198.51.100.7", "eth1");
  add_way(made, "198.51.100.8", "eth1");
  return made;
}

inline ClusterView view_of(const std::vector<Node>& peers) {
  return {.self = node("n1", "192.0.2.1", "10.200.1.0/24"),
          .peers = peers,
          .skipped = {},
          .owners = {}};
}

}  // namespace kubecni::test
