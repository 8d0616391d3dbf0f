#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"

#include <compare>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// An address of a pod.
struct PodAddress {
  IpNet net;                      ///< with the subnet's prefix
  std::optional<IpAddr> gateway;  ///< in the same subnet

  auto operator<=>(const PodAddress&) const = default;
};

/// A route of a pod.
struct PodRoute {
  IpNet dst;
  IpAddr gateway;

  auto operator<=>(const PodRoute&) const = default;
};

/// What one pod has on the kernel path: a port of the node's bridge, addresses, and routes via
/// gateways. It works without eBPF.
struct PodPort {
  std::string bridge;
  std::string uplink = {};  ///< the operator's device that is a port of the bridge, too; or empty
  std::string host_ifname;
  MacAddr host_mac;
  std::string pod_ifname;
  MacAddr pod_mac;
  std::vector<PodAddress> addresses;
  std::vector<PodRoute> routes;
  bool owns_gateways = true;  ///< the bridge has the gateways' addresses
  MacAddr gateway_mac;        ///< the gateway's MAC that the pod was given; zero if none
  unsigned mtu = 0;           ///< bytes

  /// The addresses that the bridge needs for this pod, each once.
  [[nodiscard]] std::vector<IpNet> bridge_addresses() const;
  /// The pod's addresses without prefixes.
  [[nodiscard]] std::vector<IpAddr> plain_addresses() const;
  /// Those, and the link-local address: by it, pods of one bridge reach each other, too.
  [[nodiscard]] std::vector<IpAddr> all_addresses() const;
  /// plain_addresses() as text: "10.200.0.2/24, fd00::2/64".
  [[nodiscard]] std::string addresses_text() const;
};

}  // namespace kubecni
