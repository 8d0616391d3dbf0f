#pragma once

#include "base/ip.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// A protocol with ports, by its number (IANA).
enum class PortProtocol : std::uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };

/// "tcp", "udp" or "sctp".
std::string_view name_of(PortProtocol protocol);
/// The opposite, in any letter case; empty for all other names.
std::optional<PortProtocol> protocol_of(std::string_view name);

/// A port of the node that leads to a port of a pod, as the runtime asks for it (hostPort).
struct PortMapping {
  PortProtocol protocol = PortProtocol::kTcp;
  std::uint16_t host_port = 0;
  std::uint16_t pod_port = 0;
  /// The node's address that leads to the pod. Empty: each, of both families; 0.0.0.0 or `::`: each
  /// of that family.
  std::optional<IpAddr> host_ip;

  auto operator<=>(const PortMapping&) const = default;
};

/// A port of the node, of one family: what a packet is sent to. Two pods cannot have the same.
struct HostPort {
  int family = 0;  ///< AF_INET or AF_INET6
  std::optional<IpAddr>
      host_ip;  ///< empty: each of the node's addresses that has no port of its own
  PortProtocol protocol = PortProtocol::kTcp;
  std::uint16_t port = 0;

  auto operator<=>(const HostPort&) const = default;
  /// "tcp port 8080", "tcp port 8080 of 192.0.2.1", "tcp port 8080 (IPv6)".
  [[nodiscard]] std::string str() const;
};

/// Where a host port leads.
struct PodSocket {
  IpAddr addr;
  std::uint16_t port = 0;

  auto operator<=>(const PodSocket&) const = default;
  [[nodiscard]] std::string str() const;  ///< "10.200.0.2:80", "[fd00::2]:80"
};

using HostPorts = std::map<HostPort, PodSocket>;

/// The host ports that the mappings need, whatever the pod's addresses are.
std::vector<HostPort> host_ports_of(const std::vector<PortMapping>& mappings);

/// The same with where they lead: to the pod's first address of the family. Without such an address
/// there is none.
HostPorts plan_host_ports(const std::vector<PortMapping>& mappings,
                          const std::vector<IpAddr>& pod_addresses);

}  // namespace kubecni
