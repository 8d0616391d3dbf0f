#include "net/packet_head.hpp"

#include "net/udp_packet.hpp"
#include "support/ip.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>

#include <random>
#include <vector>

namespace kubecni::test {
namespace {

using Packet = std::vector<std::uint8_t>;

Packet packet4() { return udp_packet(addr("192.0.2.1"), addr("192.0.2.2"), {5000, 53}, {}); }
Packet packet6() { return udp_packet(addr("2001:db8::1"), addr("2001:db8::2"), {5000, 53}, {}); }

/// packet6() with extension headers in between.
Packet with_extensions(std::uint8_t first, const Packet& extensions) {
  Packet packet = packet6();
  packet[6] = first;
  packet.insert(packet.begin() + 40, extensions.begin(), extensions.end());
  return packet;
}

const PacketHead::Ports kPorts{5000, 53};

TEST(PacketHead, HasAddressesProtocolAndPorts) {
  EXPECT_EQ(parse_packet_head(packet4()),
            (PacketHead{addr("192.0.2.1"), addr("192.0.2.2"), IPPROTO_UDP, kPorts}));
  EXPECT_EQ(parse_packet_head(packet6()),
            (PacketHead{addr("2001:db8::1"), addr("2001:db8::2"), IPPROTO_UDP, kPorts}));
}

TEST(PacketHead, OptionsOfIpv4AreSkipped) {
  Packet packet = packet4();
  packet[0] = 0x46;
  packet.insert(packet.begin() + 20, 4, 0xff);

  EXPECT_EQ(parse_packet_head(packet)->ports, kPorts);
}

TEST(PacketHead, ExtensionHeadersAreSkipped) {
  // Hop-by-hop options of 16 bytes, then the first fragment.
  Packet extensions(24, 0);
  extensions[0] = IPPROTO_FRAGMENT;
  extensions[1] = 1;
  extensions[16] = IPPROTO_UDP;
  extensions[19] = 1;  // more follow

  const auto head = parse_packet_head(with_extensions(IPPROTO_HOPOPTS, extensions));

  EXPECT_EQ(head->protocol, IPPROTO_UDP);
  EXPECT_EQ(head->ports, kPorts);
}

TEST(PacketHead, ALaterFragmentHasNoPorts) {
  Packet fragment4 = packet4();
  fragment4[7] = 1;
  Packet extension(8, 0);
  extension[0] = IPPROTO_UDP;
  extension[3] = 8;

  for (const Packet& packet : {fragment4, with_extensions(IPPROTO_FRAGMENT, extension)}) {
    EXPECT_EQ(parse_packet_head(packet)->protocol, IPPROTO_UDP);
    EXPECT_FALSE(parse_packet_head(packet)->ports);
  }
}

TEST(PacketHead, OfIcmpHasItsType) {
  Packet packet = packet4();
  packet[9] = IPPROTO_ICMP;
  packet[20] = 8;

  EXPECT_EQ(parse_packet_head(packet)->icmp_type, 8);
  EXPECT_FALSE(parse_packet_head(packet)->ports);
}

TEST(PacketHead, EndlessExtensionHeadersHaveNoPorts) {
  const auto head = parse_packet_head(with_extensions(IPPROTO_HOPOPTS, Packet(8 * 200, 0)));

  ASSERT_TRUE(head);
  EXPECT_FALSE(head->ports);
}

TEST(PacketHead, ACutPacketHasWhatIsThere) {
  for (const Packet& whole : {packet4(), packet6()}) {
    const std::size_t ip = whole.size() - 8;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const Packet cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto head = parse_packet_head(cut);
      EXPECT_EQ(head.has_value(), size >= ip) << size;
      if (head) {
        EXPECT_EQ(head->ports.has_value(), size >= ip + 4) << size;
      }
    }
  }
}

TEST(PacketHead, GarbageDoesNoHarm) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    Packet packet(random() % 120);
    for (auto& byte : packet) byte = static_cast<std::uint8_t>(random());
    if (!packet.empty()) packet[0] = static_cast<std::uint8_t>((i % 2 ? 0x60 : 0x40) | i % 16);
    parse_packet_head(packet);
  }
  EXPECT_FALSE(parse_packet_head({}));
  EXPECT_FALSE(parse_packet_head(Packet(100, 0x55)));
}

}  // namespace
}  // namespace kubecni::test
