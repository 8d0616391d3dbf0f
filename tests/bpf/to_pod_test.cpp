// to_pod only watches what the kernel path delivers, and notes its flows.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class ToPod : public BothFamilies {
 protected:
  Passage deliver(const IpPacket& packet) { return run(kToPod, frame_at(kToPod, packet)); }
};

TEST_P(ToPod, PacketsPassUnchangedAndKeepTheirMark) {
  for (const auto protocol : kProtocols) {
    const auto delivered = run(kToPod, frame_at(kToPod, {.protocol = protocol}), {.mark = 0x1234});

    EXPECT_THAT(delivered, LeftToKernel(KUBECNI_KERNEL_TO_POD));
    EXPECT_EQ(delivered.mark, 0x1234u);
  }
}

// Only of echoes: conntrack answers about the others.
TEST_P(ToPod, DirectionOfTheReplyIsNotedOnce) {
  const IpPacket packet{.src = family().remote_pod,
                        .dst = family().pod_a,
                        .protocol = IPPROTO_ICMP,
                        .src_port = 0x1122};
  deliver(packet);
  deliver(packet);

  ASSERT_EQ(flows().size(), 1u);
  const auto [flow, state] = *flows().begin();
  EXPECT_EQ(flow.src.str(), family().pod_a);
  EXPECT_EQ(flow.dst.str(), family().remote_pod);
  EXPECT_EQ(flow.src_port, 0x1122);
  EXPECT_EQ(flow.dst_port, 0x1122);
  EXPECT_EQ(flow.place, pod_a().ifindex);
  EXPECT_EQ(state.owner, KUBECNI_FLOW_KERNEL);
  EXPECT_GT(state.decided_ns, 0u);
}

TEST_P(ToPod, OtherEndsAndIdentifiersAreOtherFlows) {
  const auto echo = [&](const char* src, const char* dst, std::uint16_t identifier) {
    deliver({.src = src, .dst = dst, .protocol = IPPROTO_ICMP, .src_port = identifier});
  };
  echo(family().remote_pod, family().pod_a, 1);
  echo(family().remote_pod, family().pod_a, 2);
  echo(family().other_remote_pod, family().pod_a, 1);
  echo(family().remote_pod, family().pod_b, 1);

  EXPECT_EQ(flows().size(), 4u);
}

TEST_P(ToPod, MulticastPassesAndIsNotNoted) {
  for (const char* dst_mac : {"01:00:5e:00:00:fb", "33:33:00:00:00:fb", "ff:ff:ff:ff:ff:ff"})
    EXPECT_THAT(deliver({.dst_mac = dst_mac, .protocol = IPPROTO_ICMP}),
                LeftToKernel(KUBECNI_PASS_MULTICAST));

  EXPECT_TRUE(flows().empty());
}

TEST_P(ToPod, WhatNeverIsRedirectedIsNotNoted) {
  EXPECT_THAT(deliver({.src = family().outside, .protocol = IPPROTO_ICMP}),
              LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.protocol = IPPROTO_GRE}), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.protocol = IPPROTO_ICMP, .icmp_type = family().icmp_error}),
              LeftToKernel(KUBECNI_KERNEL_TO_POD));

  EXPECT_TRUE(flows().empty());
}

KUBECNI_FOR_BOTH_FAMILIES(ToPod);

/// What one family has.
class ToPodHeaders : public BpfTest {
 protected:
  Passage deliver(const IpPacket& packet) { return run(kToPod, frame_at(kToPod, packet)); }
};

TEST_F(ToPodHeaders, OtherEthertypesPass) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_LLDP})
    EXPECT_THAT(run(kToPod, ethernet_frame(kPodAMac, kGatewayMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IP));
}

TEST_F(ToPodHeaders, FirstFragmentIsNotedAndALaterOneIsNot) {
  deliver({.protocol = IPPROTO_ICMP, .src_port = 1, .fragment_offset = 8});
  EXPECT_TRUE(flows().empty());

  deliver({.protocol = IPPROTO_ICMP, .src_port = 1, .more_fragments = true});
  EXPECT_EQ(flows().size(), 1u);
}

TEST_F(ToPodHeaders, OptionsAndExtensionHeadersPassAndAreNotNoted) {
  EXPECT_THAT(deliver({.protocol = IPPROTO_ICMP, .option_bytes = 4}),
              LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.family = AF_INET6, .extension_headers = {IPPROTO_FRAGMENT}}),
              LeftToKernel(KUBECNI_KERNEL_TO_POD));

  EXPECT_TRUE(flows().empty());
}

TEST_F(ToPodHeaders, NeighbourDiscoveryIsCountedApart) {
  for (const auto type : std::initializer_list<std::uint8_t>{133, 134, 135, 136, 137}) {
    for (const char* dst_mac : {kPodAMac, "33:33:ff:00:00:10"})
      EXPECT_THAT(run(kToPod, nd_message({.dst_mac = dst_mac,
                                          .src_mac = kGatewayMac,
                                          .src = "fe80::1",
                                          .type = type,
                                          .target = kIpv6.pod_a})),
                  LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
  }
}

}  // namespace
}  // namespace kubecni::test
