#include "control/probe/icmp_error.hpp"

#include "support/ip.hpp"

#include <gtest/gtest.h>

#include <linux/errqueue.h>

namespace kubecni::test {
namespace {

const IpAddr kRouter = addr("192.0.2.9");

std::optional<ProbeRefusal> read(std::uint8_t origin, std::uint8_t type, unsigned code) {
  sock_extended_err error{};
  error.ee_origin = origin;
  error.ee_type = type;
  error.ee_code = static_cast<std::uint8_t>(code);
  return refusal_of(error, kRouter);
}

const ProbeRefusal kFirewall{.by = kRouter, .is_firewall = true};
const ProbeRefusal kNoWay{.by = kRouter, .is_firewall = false};

TEST(IcmpErrorOfAProbe, NamesAFirewallByTheCodesThatFirewallsUse) {
  for (const unsigned code : {3U, 9U, 10U, 13U})
    EXPECT_EQ(read(SO_EE_ORIGIN_ICMP, 3, code), kFirewall) << code;
  for (const unsigned code : {1U, 4U, 5U, 6U})
    EXPECT_EQ(read(SO_EE_ORIGIN_ICMP6, 1, code), kFirewall) << code;
}

TEST(IcmpErrorOfAProbe, NamesAMissingWayByTheOtherCodes) {
  for (const unsigned code : {0U, 1U, 6U, 7U, 11U, 12U})
    EXPECT_EQ(read(SO_EE_ORIGIN_ICMP, 3, code), kNoWay) << code;
  for (const unsigned code : {0U, 2U, 3U})
    EXPECT_EQ(read(SO_EE_ORIGIN_ICMP6, 1, code), kNoWay) << code;
  EXPECT_EQ(read(SO_EE_ORIGIN_ICMP, 11, 0), kNoWay);
  EXPECT_EQ(read(SO_EE_ORIGIN_ICMP6, 3, 0), kNoWay);
}

TEST(IcmpErrorOfAProbe, SaysNothingOfTheWayIfItIsAboutThePacket) {
  EXPECT_FALSE(read(SO_EE_ORIGIN_ICMP, 3, 4));   // fragmentation needed
  EXPECT_FALSE(read(SO_EE_ORIGIN_ICMP, 12, 0));  // parameter problem
  EXPECT_FALSE(read(SO_EE_ORIGIN_ICMP6, 2, 0));  // packet too big
  EXPECT_FALSE(read(SO_EE_ORIGIN_ICMP6, 4, 1));
}

TEST(IcmpErrorOfAProbe, IsNoneIfTheKernelItselfMadeIt) {
  EXPECT_FALSE(read(SO_EE_ORIGIN_LOCAL, 3, 13));
  EXPECT_FALSE(read(SO_EE_ORIGIN_NONE, 3, 13));
}

}  // namespace
}  // namespace kubecni::test
