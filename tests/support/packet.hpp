#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kubecni::test {

/// The bytes of a packet, from its Ethernet header on.
using Frame = std::vector<std::uint8_t>;

/// An IP packet as its sender makes it, with right lengths and checksums.
/// Addresses are text ("192.0.2.1"); one that is left empty is all zero.
struct IpPacket {
  int family = AF_INET;
  std::string dst_mac = {};
  std::string src_mac = {};
  std::string src = {};
  std::string dst = {};
  /// IPPROTO_ICMP is the family's own. SCTP is a packet that opens an association. One other than
  /// TCP, UDP, SCTP and ICMP gets a payload only.
  std::uint8_t protocol = IPPROTO_UDP;
  std::uint16_t src_port = 40000;  ///< of an ICMP echo: the identifier
  std::uint16_t dst_port = 8080;
  std::uint8_t tcp_flags = 0x18;  ///< PSH, ACK
  /// An echo (absent: the request), or an error about a UDP datagram that `dst` sent to
  /// `src`, from `dst_port` to `src_port`.
  std::optional<std::uint8_t> icmp_type = {};
  Frame icmp_body = {};  ///< after type, code and checksum, for other messages
  std::uint8_t ttl = 64;
  std::uint16_t id = 1;          ///< IPv4
  std::size_t option_bytes = 0;  ///< IPv4: no-operation; a multiple of 4, up to 40
  std::vector<std::uint8_t> extension_headers = {};  ///< IPv6: of eight bytes each, by type
  /// IPv6, of the Fragment header: offset in bytes, a multiple of 8, plus 1 if
  /// more follow. 0 is an atomic fragment.
  std::uint16_t fragment_field = 1;
  // IPv4 only, as are the rest of the flags:
  std::size_t fragment_offset = 0;  ///< bytes, a multiple of 8; such a packet has a payload only
  bool more_fragments = false;
  bool dont_fragment = false;
  std::size_t payload_bytes = 16;  ///< after the transport header
  Frame payload = {};  ///< of a protocol other than TCP, UDP and ICMP, instead of all else
};
Frame ip_packet(const IpPacket& packet);

/// IpPacket::icmp_body of an error that quotes the first `bytes` of `quoted`,
/// from its IP header on.
Frame error_about(const IpPacket& quoted, std::size_t bytes = 512);

/// An option of neighbour discovery that holds a MAC: 1 source, 2 target.
struct NdOption {
  std::uint8_t type = 1;
  std::string mac = {};
  std::uint8_t length = 1;  ///< in units of eight bytes; the rest is zero
};

/// A message of neighbour discovery, RFC 4861.
struct NdMessage {
  std::string dst_mac = "33:33:ff:00:00:01";
  std::string src_mac = {};
  std::string src = {};
  std::string dst = "ff02::1:ff00:1";
  std::uint8_t type = 135;  ///< router 133, 134; neighbour 135, 136; redirect 137
  std::string target = {};  ///< of 135, 136 and 137
  std::vector<NdOption> options = {};
  std::vector<std::uint8_t> extension_headers = {};
  std::uint16_t fragment_field = 1;  ///< as of IpPacket
};
Frame nd_message(const NdMessage& message);

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

/// The frame with VLAN tags of these types, the outermost first.
Frame with_tags(const Frame& frame, std::span<const std::uint16_t> types, std::uint16_t vid);

/// The Internet checksum of RFC 1071, over an even number of bytes or not. Over
/// bytes that hold a right checksum it is 0.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

/// Whether the checksums of IPv4's header and of TCP or UDP are right. The frame may be padded.
bool has_right_checksums(std::span<const std::uint8_t> frame);

/// The header checksum that stands in an IPv4 packet, and the one that should.
std::uint16_t ip_checksum(const Frame& ipv4);
std::uint16_t right_ip_checksum(Frame ipv4);
void set_ip_checksum(Frame& ipv4, std::uint16_t checksum);

/// An IP packet after a router: TTL one less, IPv4's checksum recomputed.
Frame one_hop_older(Frame packet);
/// The packet with other Ethernet addresses.
Frame with_macs(Frame frame, const std::string& dst_mac, const std::string& src_mac);

}  // namespace kubecni::test
