#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"

#include <compare>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The host end of the daemon's own pod, at which other nodes test this one.
inline constexpr const char* kProbePortName = "kcni.probe";

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

/// What one pod has on the kernel path: addresses, and routes via gateways. Its host end is a port
/// of the node's bridge, or in mode ptp a link of its own that the node routes to. It works without
/// eBPF.
struct PodPort {
  std::string bridge;       ///< empty: mode ptp
  std::string uplink = {};  ///< the operator's device that is a port of the bridge, too; or empty
  std::string host_ifname;
  MacAddr host_mac;
  std::string pod_ifname;
  MacAddr pod_mac;
  std::vector<PodAddress> addresses;
  std::vector<PodRoute> routes;
  bool owns_gateways = true;  ///< gateway_device() has the gateways' addresses
  MacAddr gateway_mac;        ///< the gateway's MAC that the pod was given; zero if none
  unsigned mtu = 0;           ///< bytes

  /// Whether the node routes to it: mode ptp.
  [[nodiscard]] bool is_routed() const { return bridge.empty(); }
  /// The node's device that has the gateways' addresses, and by which the node reaches the pod: the
  /// bridge, or the host end.
  [[nodiscard]] const std::string& gateway_device() const {
    return is_routed() ? host_ifname : bridge;
  }
  /// The addresses that this device needs for the pod, each once.
  [[nodiscard]] std::vector<IpNet> gateway_addresses() const;
  /// The pod's addresses without prefixes.
  [[nodiscard]] std::vector<IpAddr> plain_addresses() const;
  /// Those, and the link-local address: by it, pods of one bridge reach each other, too.
  [[nodiscard]] std::vector<IpAddr> all_addresses() const;
  /// plain_addresses() as text: "10.200.0.2/24, fd00::2/64".
  [[nodiscard]] std::string addresses_text() const;
};

}  // namespace kubecni
