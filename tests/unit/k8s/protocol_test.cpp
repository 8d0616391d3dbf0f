#include "k8s/protocol.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni {
namespace {

TEST(Protocol, IsOneOfThreeAndTcpIfMissing) {
  EXPECT_EQ(protocol_in("TCP"), IPPROTO_TCP);
  EXPECT_EQ(protocol_in("UDP"), IPPROTO_UDP);
  EXPECT_EQ(protocol_in("SCTP"), IPPROTO_SCTP);
  EXPECT_EQ(protocol_in(nullptr), IPPROTO_TCP);
  for (const char* other : {"tcp", "ICMP", ""})
    EXPECT_EQ(protocol_in(other), std::nullopt) << other;
  EXPECT_EQ(protocol_in(6), std::nullopt);
}

TEST(Protocol, HasANameForNft) {
  EXPECT_EQ(protocol_name(IPPROTO_SCTP), "sctp");
  EXPECT_EQ(protocol_name(47), "47");
}

}  // namespace
}  // namespace kubecni
