#include "support/packet.hpp"

#include "base/ip.hpp"
#include "base/mac.hpp"

#include <linux/if_ether.h>

#include <algorithm>
#include <initializer_list>
#include <stdexcept>

namespace kubecni::test {

namespace {

constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kTtlAt = ETH_HLEN + 8;
constexpr std::size_t kHopLimitAt = ETH_HLEN + 7;
constexpr std::size_t kIpChecksumAt = ETH_HLEN + 10;

void put(Frame& to, std::initializer_list<std::size_t> bytes) {
  for (const std::size_t byte : bytes) to.push_back(static_cast<std::uint8_t>(byte));
}

void put16(Frame& to, std::size_t value) { put(to, {value >> 8, value & 0xff}); }

void put_all(Frame& to, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) to.push_back(byte);
}

void set16(Frame& in, std::size_t at, std::uint16_t value) {
  in.at(at) = static_cast<std::uint8_t>(value >> 8);
  in.at(at + 1) = static_cast<std::uint8_t>(value & 0xff);
}

std::uint16_t get16(std::span<const std::uint8_t> in, std::size_t at) {
  return static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]);
}

void put_mac(Frame& to, const std::string& text) {
  const auto mac = text.empty() ? MacAddr{} : MacAddr::parse(text);
  if (!mac) throw std::invalid_argument("no MAC address: " + text);
  put_all(to, mac->bytes);
}

void put_ip(Frame& to, const std::string& text) {
  const auto address = IpAddr::parse(text.empty() ? "0.0.0.0" : text);
  if (!address || !address->is_v4()) throw std::invalid_argument("no IPv4 address: " + text);
  put_all(to, {address->data(), 4});
}

void put_ip6(Frame& to, const std::string& text) {
  const auto address = IpAddr::parse(text.empty() ? "::" : text);
  if (!address || address->is_v4()) throw std::invalid_argument("no IPv6 address: " + text);
  put_all(to, {address->data(), 16});
}

bool is_v6(const IpPacket& packet) { return packet.family == AF_INET6; }

std::uint8_t protocol_of(const IpPacket& packet) {
  if (is_v6(packet) && packet.protocol == IPPROTO_ICMP) return IPPROTO_ICMPV6;
  return packet.protocol;
}

/// Bytes that differ from each other, so that a shift by one is seen.
void put_payload(Frame& to, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) put(to, {(i + 1) & 0xff});
}

void put_ethernet(Frame& to, const std::string& dst_mac, const std::string& src_mac,
                  std::size_t ethertype) {
  put_mac(to, dst_mac);
  put_mac(to, src_mac);
  put16(to, ethertype);
}

/// All but IPv4's ICMP sum over a part of the IP header, too.
void set_checksum(Frame& transport, std::size_t at, const IpPacket& packet) {
  Frame summed;
  if (is_v6(packet)) {
    put_ip6(summed, packet.src);
    put_ip6(summed, packet.dst);
  } else if (packet.protocol != IPPROTO_ICMP) {
    put_ip(summed, packet.src);
    put_ip(summed, packet.dst);
  }
  if (!summed.empty()) {
    put(summed, {0, protocol_of(packet)});
    put16(summed, transport.size());
  }
  put_all(summed, transport);
  const std::uint16_t checksum = internet_checksum(summed);
  set16(transport, at, checksum == 0 && packet.protocol == IPPROTO_UDP ? 0xffff : checksum);
}

Frame tcp_segment(const IpPacket& packet) {
  Frame tcp;
  put16(tcp, packet.src_port);
  put16(tcp, packet.dst_port);
  put(tcp, {0, 0, 0, 1, 0, 0, 0, 2});    // sequence numbers
  put(tcp, {5 << 4, packet.tcp_flags});  // five words
  put(tcp, {0xff, 0xff, 0, 0, 0, 0});    // window, checksum, urgent pointer
  put_payload(tcp, packet.payload_bytes);
  set_checksum(tcp, 16, packet);
  return tcp;
}

Frame udp_datagram(const IpPacket& packet) {
  Frame udp;
  put16(udp, packet.src_port);
  put16(udp, packet.dst_port);
  put16(udp, 8 + packet.payload_bytes);
  put16(udp, 0);
  put_payload(udp, packet.payload_bytes);
  set_checksum(udp, 6, packet);
  return udp;
}

/// CRC32c: RFC 9260, appendix A.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
  }
  return ~crc;
}

/// That opens an association.
Frame sctp_init(const IpPacket& packet) {
  Frame sctp;
  put16(sctp, packet.src_port);
  put16(sctp, packet.dst_port);
  put(sctp, {0, 0, 0, 0, 0, 0, 0, 0});  // tag, checksum
  put(sctp, {1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1});
  const std::uint32_t checksum = crc32c(sctp);
  for (std::size_t i = 0; i < 4; ++i) sctp[8 + i] = std::uint8_t(checksum >> 8 * i);
  return sctp;
}

Frame icmp_message(const IpPacket& packet) {
  const std::uint8_t request = is_v6(packet) ? 128 : 8;
  const std::uint8_t reply = is_v6(packet) ? 129 : 0;
  const std::uint8_t type = packet.icmp_type.value_or(request);
  Frame icmp;
  put(icmp, {type, 0, 0, 0});
  if (!packet.icmp_body.empty()) {
    put_all(icmp, packet.icmp_body);
  } else if (type == request || type == reply) {
    put16(icmp, packet.src_port);
    put16(icmp, 1);
    put_payload(icmp, packet.payload_bytes);
  } else {  // RFC 792: the IP header that it is about, and eight bytes more
    const Frame about = ip_packet({.family = packet.family,
                                   .src = packet.dst,
                                   .dst = packet.src,
                                   .src_port = packet.dst_port,
                                   .dst_port = packet.src_port,
                                   .payload_bytes = 0});
    put(icmp, {0, 0, 0, 0});
    put_all(icmp, std::span(about).subspan(ETH_HLEN));
  }
  set_checksum(icmp, 2, packet);
  return icmp;
}

Frame ip_payload(const IpPacket& packet) {
  if (packet.fragment_offset == 0) {
    if (packet.protocol == IPPROTO_TCP) return tcp_segment(packet);
    if (packet.protocol == IPPROTO_UDP) return udp_datagram(packet);
    if (packet.protocol == IPPROTO_ICMP) return icmp_message(packet);
  }
  if (!packet.payload.empty()) return packet.payload;
  if (packet.fragment_offset == 0 && packet.protocol == IPPROTO_SCTP) return sctp_init(packet);
  Frame payload;
  put_payload(payload, packet.payload_bytes);
  return payload;
}

Frame ipv6_packet(const IpPacket& packet) {
  const Frame payload = ip_payload(packet);
  const auto& headers = packet.extension_headers;
  Frame frame;
  put_ethernet(frame, packet.dst_mac, packet.src_mac, ETH_P_IPV6);
  put(frame, {6 << 4, 0, 0, 0});
  put16(frame, 8 * headers.size() + payload.size());
  put(frame, {headers.empty() ? protocol_of(packet) : headers.front(), packet.ttl});
  put_ip6(frame, packet.src);
  put_ip6(frame, packet.dst);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    put(frame, {i + 1 < headers.size() ? headers[i + 1] : protocol_of(packet)});
    put(frame, {0});  // the length beyond eight bytes
    if (headers[i] == IPPROTO_FRAGMENT) {
      put16(frame, packet.fragment_field);
      put(frame, {0, 0, 0, 1});
    } else {
      put(frame, {1, 4, 0, 0, 0, 0});  // PadN
    }
  }
  put_all(frame, payload);
  return frame;
}

Frame ipv4_packet(const IpPacket& packet) {
  const Frame payload = ip_payload(packet);
  const std::size_t header = kIpHeader + packet.option_bytes;
  Frame frame;
  put_ethernet(frame, packet.dst_mac, packet.src_mac, ETH_P_IP);
  put(frame, {4 << 4 | header / 4, 0});
  put16(frame, header + payload.size());
  put16(frame, packet.id);
  put16(frame, (packet.dont_fragment ? 0x4000u : 0u) | (packet.more_fragments ? 0x2000u : 0u) |
                   packet.fragment_offset / 8);
  put(frame, {packet.ttl, packet.protocol, 0, 0});
  put_ip(frame, packet.src);
  put_ip(frame, packet.dst);
  frame.insert(frame.end(), packet.option_bytes, 1);
  set_ip_checksum(frame, right_ip_checksum(frame));
  put_all(frame, payload);
  return frame;
}

}  // namespace

Frame ip_packet(const IpPacket& packet) {
  return is_v6(packet) ? ipv6_packet(packet) : ipv4_packet(packet);
}

Frame error_about(const IpPacket& quoted, std::size_t bytes) {
  const Frame frame = ip_packet(quoted);
  Frame body(4);  // unused, or the MTU
  put_all(body, std::span(frame).subspan(ETH_HLEN, std::min(bytes, frame.size() - ETH_HLEN)));
  return body;
}

Frame nd_message(const NdMessage& message) {
  Frame body;
  put(body, {0, 0, 0, 0});
  if (message.type >= 135) put_ip6(body, message.target);
  if (message.type == 134)
    put(body, {0, 0, 0, 0, 0, 0, 0, 0});                   // reachable and retransmission times
  if (message.type == 137) put_ip6(body, message.target);  // the destination
  for (const NdOption& option : message.options) {
    put(body, {option.type, option.length});
    put_mac(body, option.mac);
    for (unsigned more = 1; more < option.length; ++more) put(body, {0, 0, 0, 0, 0, 0, 0, 0});
  }
  return ip_packet({.family = AF_INET6,
                    .dst_mac = message.dst_mac,
                    .src_mac = message.src_mac,
                    .src = message.src,
                    .dst = message.dst,
                    .protocol = IPPROTO_ICMP,
                    .icmp_type = message.type,
                    .icmp_body = body,
                    .ttl = 255,
                    .extension_headers = message.extension_headers,
                    .fragment_field = message.fragment_field});
}

Frame arp_packet(const ArpPacket& packet) {
  Frame frame;
  put_ethernet(frame, packet.dst_mac, packet.src_mac, ETH_P_ARP);
  put(frame, {0, 1, 8, 0, 6, 4});  // Ethernet, IPv4, and their lengths
  put16(frame, packet.operation);
  put_mac(frame, packet.sender_mac);
  put_ip(frame, packet.sender_ip);
  put_mac(frame, packet.target_mac);
  put_ip(frame, packet.target_ip);
  return frame;
}

Frame ethernet_frame(const std::string& dst_mac, const std::string& src_mac,
                     std::uint16_t ethertype, std::size_t payload_bytes) {
  Frame frame;
  put_ethernet(frame, dst_mac, src_mac, ethertype);
  put_payload(frame, payload_bytes);
  return frame;
}

Frame with_tags(const Frame& frame, std::span<const std::uint16_t> types, std::uint16_t vid) {
  Frame tagged(frame.begin(), frame.begin() + 2 * ETH_ALEN);
  for (const std::uint16_t type : types) {
    put16(tagged, type);
    put16(tagged, vid);
  }
  put_all(tagged, std::span(frame).subspan(std::size_t{2} * ETH_ALEN));
  return tagged;
}

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i] << 8) : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

bool has_right_checksums(std::span<const std::uint8_t> frame) {
  if (frame.size() < ETH_HLEN + 40) return false;
  const bool is_v4 = get16(frame, 12) == ETH_P_IP;
  const auto ip = frame.subspan(ETH_HLEN);
  const std::size_t header = is_v4 ? std::size_t{4} * (ip[0] & 0x0f) : 40;
  const std::size_t end = is_v4 ? get16(ip, 2) : 40 + get16(ip, 4);
  if (end < header || ip.size() < end) return false;
  if (is_v4 && internet_checksum(ip.first(header)) != 0) return false;
  const auto addresses = is_v4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
  Frame summed(addresses.begin(), addresses.end());
  put(summed, {0, ip[is_v4 ? 9 : 6]});
  put16(summed, end - header);
  put_all(summed, ip.subspan(header, end - header));
  return internet_checksum(summed) == 0;
}

std::uint16_t ip_checksum(const Frame& ipv4) { return get16(ipv4, kIpChecksumAt); }

std::uint16_t right_ip_checksum(Frame ipv4) {
  set_ip_checksum(ipv4, 0);
  const std::size_t header = std::size_t{4} * (ipv4.at(ETH_HLEN) & 0x0f);
  return internet_checksum(std::span(ipv4).subspan(ETH_HLEN, header));
}

void set_ip_checksum(Frame& ipv4, std::uint16_t checksum) { set16(ipv4, kIpChecksumAt, checksum); }

Frame one_hop_older(Frame packet) {
  if (get16(packet, 12) == ETH_P_IPV6) {
    packet.at(kHopLimitAt)--;
    return packet;
  }
  packet.at(kTtlAt)--;
  set_ip_checksum(packet, right_ip_checksum(packet));
  return packet;
}

Frame with_macs(Frame frame, const std::string& dst_mac, const std::string& src_mac) {
  Frame macs;
  put_mac(macs, dst_mac);
  put_mac(macs, src_mac);
  std::copy(macs.begin(), macs.end(), frame.begin());
  return frame;
}

}  // namespace kubecni::test
