#include "net/udp_packet.hpp"

#include <netinet/in.h>

#include <array>
#include <cstddef>

namespace kubecni {

namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::uint8_t kHops = 64;

void put16(std::vector<std::uint8_t>& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put(std::vector<std::uint8_t>& bytes, std::span<const std::uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  return sum;
}

/// RFC 1071.
std::uint16_t checksum(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::span<const std::uint8_t> bytes_of(const IpAddr& addr) { return {addr.data(), addr.bytes()}; }

}  // namespace

std::vector<std::uint8_t> udp_datagram(const IpAddr& from, const IpAddr& to, const UdpPorts& ports,
                                       std::span<const std::uint8_t> payload) {
  std::vector<std::uint8_t> udp;
  put16(udp, ports.from);
  put16(udp, ports.to);
  put16(udp, kUdpHeader + payload.size());
  put16(udp, 0);
  put(udp, payload);
  std::uint16_t sum = checksum(sum_of(bytes_of(from)) + sum_of(bytes_of(to)) + IPPROTO_UDP +
                               static_cast<std::uint32_t>(udp.size()) + sum_of(udp));
  if (sum == 0) sum = 0xffff;  // 0 would mean that there is none
  udp[6] = static_cast<std::uint8_t>(sum >> 8);
  udp[7] = static_cast<std::uint8_t>(sum);
  return udp;
}

std::vector<std::uint8_t> udp_packet(const IpAddr& from, const IpAddr& to, const UdpPorts& ports,
                                     std::span<const std::uint8_t> payload) {
  const auto udp = udp_datagram(from, to, ports, payload);
  std::vector<std::uint8_t> packet;
  if (to.is_v4()) {
    constexpr std::size_t kHeader = 20;
    packet = {0x45, 0};
    put16(packet, kHeader + udp.size());
    put(packet, std::array<std::uint8_t, 8>{0, 0, 0x40, 0, kHops, IPPROTO_UDP, 0, 0});
    put(packet, bytes_of(from));
    put(packet, bytes_of(to));
    const std::uint16_t sum = checksum(sum_of(packet));
    packet[10] = static_cast<std::uint8_t>(sum >> 8);
    packet[11] = static_cast<std::uint8_t>(sum);
  } else {
    packet = {0x60, 0, 0, 0};
    put16(packet, udp.size());
    put(packet, std::array<std::uint8_t, 2>{IPPROTO_UDP, kHops});
    put(packet, bytes_of(from));
    put(packet, bytes_of(to));
  }
  put(packet, udp);
  return packet;
}

}  // namespace kubecni
