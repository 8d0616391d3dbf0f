#pragma once

#include "base/ip.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace kubecni {

struct UdpPorts {
  std::uint16_t from = 0;
  std::uint16_t to = 0;
};

/// A UDP datagram with its header and checksum (RFC 768, RFC 8200), without the IP header.
std::vector<std::uint8_t> udp_datagram(const IpAddr& from, const IpAddr& to, const UdpPorts& ports,
                                       std::span<const std::uint8_t> payload);

/// The same as an IP packet, which routers do not fragment.
std::vector<std::uint8_t> udp_packet(const IpAddr& from, const IpAddr& to, const UdpPorts& ports,
                                     std::span<const std::uint8_t> payload);

}  // namespace kubecni
