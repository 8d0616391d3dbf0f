#include "net/udp_packet.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(UdpPacket, HasTheChecksumsThatAReceiverComputes) {
  const auto packet = udp_packet(addr("10.200.1.0"), addr("10.200.2.0"), {5000, 8484},
                                 std::vector<std::uint8_t>(32, 0xa5));

  ASSERT_EQ(packet.size(), 20U + 8 + 32);
  std::uint32_t header = 0;
  for (std::size_t i = 0; i < 20; i += 2)
    header += static_cast<std::uint32_t>(packet[i] << 8 | packet[i + 1]);
  EXPECT_EQ((header & 0xffff) + (header >> 16), 0xffffU);
  std::uint32_t sum = 17 + 40;
  for (std::size_t i = 12; i < packet.size(); i += 2)
    sum += static_cast<std::uint32_t>(packet[i] << 8 | packet[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffU);
}

}  // namespace
}  // namespace kubecni::test
