#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kubecni::test {

/// The bytes of a packet, from its Ethernet header on.
using Frame = std::vector<std::uint8_t>;

/// An IPv4 packet as its sender makes it, with right lengths and checksums.
/// Addresses are text ("192.0.2.1"); one that is left empty is all zero.
struct Ipv4Packet {
  std::string dst_mac = {};
  std::string src_mac = {};
  std::string src = {};
  std::string dst = {};
  std::uint8_t protocol = IPPROTO_UDP;  ///< one other than TCP, UDP and ICMP gets a payload only
  std::uint16_t src_port = 40000;       ///< of an ICMP echo: the identifier
  std::uint16_t dst_port = 8080;
  std::uint8_t icmp_type = 8;  ///< an echo, or an error about what `dst` sent to `src`
  std::uint8_t ttl = 64;
  std::uint16_t id = 1;
  std::size_t option_bytes = 0;     ///< of no-operation options; a multiple of 4, up to 40
  std::size_t fragment_offset = 0;  ///< bytes, a multiple of 8; such a packet has a payload only
  bool more_fragments = false;
  bool dont_fragment = false;
  std::size_t payload_bytes = 16;  ///< after the transport header
};
Frame ipv4_packet(const Ipv4Packet& packet);

/// An ARP message, RFC 826.
struct ArpPacket {
  std::string dst_mac = "ff:ff:ff:ff:ff:ff";
  std::string src_mac = {};
  std::uint16_t operation = 1;  ///< 1 request, 2 reply
  std::string sender_mac = {};
  std::string sender_ip = {};
  std::string target_mac = {};
  std::string target_ip = {};
};
Frame arp_packet(const ArpPacket& packet);

/// A frame of another protocol.
Frame ethernet_frame(const std::string& dst_mac, const std::string& src_mac,
                     std::uint16_t ethertype, std::size_t payload_bytes);

/// The Internet checksum of RFC 1071, over an even number of bytes or not. Over
/// bytes that hold a right checksum it is 0.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

/// The header checksum that stands in an IPv4 packet, and the one that should.
std::uint16_t ip_checksum(const Frame& ipv4);
std::uint16_t right_ip_checksum(Frame ipv4);
void set_ip_checksum(Frame& ipv4, std::uint16_t checksum);

/// What an IPv4 packet is after a router: TTL one less, the checksum computed anew.
Frame one_hop_older(Frame ipv4);
/// The packet with other Ethernet addresses.
Frame with_macs(Frame frame, const std::string& dst_mac, const std::string& src_mac);

}  // namespace kubecni::test
