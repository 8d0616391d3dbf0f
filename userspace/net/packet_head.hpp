#pragma once

#include "base/ip.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace kubecni {

/// Who sends a packet to whom.
struct PacketHead {
  IpAddr source;
  IpAddr destination;
  std::uint8_t protocol = 0;  ///< behind the extension headers of IPv6

  struct Ports {
    std::uint16_t source = 0;  ///< host order
    std::uint16_t destination = 0;

    bool operator==(const Ports&) const = default;
  };
  std::optional<Ports> ports = {};             ///< of TCP, UDP and SCTP
  std::optional<std::uint8_t> icmp_type = {};  ///< of ICMP and ICMPv6

  bool operator==(const PacketHead&) const = default;
};

/// Reads the headers of an IPv4 or IPv6 packet, which may be cut anywhere, and whose sender may be
/// hostile. Of a fragment that is not the first one, and behind more than eight extension headers,
/// nothing but the addresses and a protocol is known. Empty: there is no whole IP header. Pure.
std::optional<PacketHead> parse_packet_head(std::span<const std::uint8_t> packet);

}  // namespace kubecni
