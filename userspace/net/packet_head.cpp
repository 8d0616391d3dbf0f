#include "net/packet_head.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace kubecni {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr unsigned kMostExtensions = 8;

std::uint16_t u16_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

template <std::size_t Size>
IpAddr address_at(Bytes bytes, std::size_t at, IpAddr (*make)(const std::uint8_t (&)[Size])) {
  std::uint8_t raw[Size];
  std::ranges::copy(bytes.subspan(at, Size), raw);
  return make(raw);
}

/// Takes what begins with the header of head.protocol.
void read_transport(Bytes bytes, PacketHead& head) {
  switch (head.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
      if (bytes.size() >= 4) head.ports = {u16_at(bytes, 0), u16_at(bytes, 2)};
      return;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      if (!bytes.empty()) head.icmp_type = bytes[0];
      return;
    default:
      return;
  }
}

std::optional<PacketHead> parse_ipv4(Bytes packet) {
  if (packet.size() < kIpv4Header) return std::nullopt;
  PacketHead head{.source = address_at(packet, 12, IpAddr::v4),
                  .destination = address_at(packet, 16, IpAddr::v4),
                  .protocol = packet[9]};
  const std::size_t length = std::size_t{4} * (packet[0] & 0xfU);
  const bool is_later_fragment = (u16_at(packet, 6) & 0x1fffU) != 0;
  if (length >= kIpv4Header && length <= packet.size() && !is_later_fragment)
    read_transport(packet.subspan(length), head);
  return head;
}

/// Goes past the extension headers. RFC 8200, section 4.
void read_behind_extensions(Bytes rest, PacketHead& head) {
  for (unsigned i = 0; i <= kMostExtensions; ++i) {
    const bool has_length = head.protocol == IPPROTO_HOPOPTS || head.protocol == IPPROTO_ROUTING ||
                            head.protocol == IPPROTO_DSTOPTS;
    if (!has_length && head.protocol != IPPROTO_FRAGMENT) return read_transport(rest, head);
    if (rest.size() < 8) return;
    const std::size_t length = has_length ? (std::size_t{rest[1]} + 1) * 8 : 8;
    const bool is_later_fragment = !has_length && (u16_at(rest, 2) & 0xfff8U) != 0;
    head.protocol = rest[0];
    if (length > rest.size() || is_later_fragment) return;
    rest = rest.subspan(length);
  }
}

std::optional<PacketHead> parse_ipv6(Bytes packet) {
  if (packet.size() < kIpv6Header) return std::nullopt;
  PacketHead head{.source = address_at(packet, 8, IpAddr::v6),
                  .destination = address_at(packet, 24, IpAddr::v6),
                  .protocol = packet[6]};
  read_behind_extensions(packet.subspan(kIpv6Header), head);
  return head;
}

}  // namespace

std::optional<PacketHead> parse_packet_head(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  const unsigned version = packet[0] >> 4U;
  if (version == 4) return parse_ipv4(packet);
  if (version == 6) return parse_ipv6(packet);
  return std::nullopt;
}

}  // namespace kubecni
