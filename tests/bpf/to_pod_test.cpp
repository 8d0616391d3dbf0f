// to_pod only watches what the kernel path delivers, and remembers its flows.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class ToPod : public BpfTest {
 protected:
  Passage deliver(const Ipv4Packet& packet) { return run(kToPod, frame_at(kToPod, packet)); }
};

TEST_F(ToPod, PacketsPassUnchangedAndKeepTheirMark) {
  for (const auto protocol : kProtocols) {
    const auto delivered = run(kToPod, frame_at(kToPod, {.protocol = protocol}), {.mark = 0x1234});

    EXPECT_THAT(delivered, LeftToKernel(KUBECNI_KERNEL_TO_POD));
    EXPECT_EQ(delivered.mark, 0x1234u);
  }
}

TEST_F(ToPod, OtherEthertypesPass) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_IPV6})
    EXPECT_THAT(run(kToPod, ethernet_frame(kPodAMac, kGatewayMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IPV4));
}

TEST_F(ToPod, FlowOfAPodIsRecordedOnceWithTheLowerEndFirst) {
  deliver({.src = kRemotePod, .dst = kPodA, .src_port = 0x1122, .dst_port = 0x3344});
  deliver({.src = kRemotePod, .dst = kPodA, .src_port = 0x1122, .dst_port = 0x3344});

  ASSERT_EQ(kernel_flows().size(), 1u);
  const auto [flow, state] = kernel_flows().front();
  EXPECT_THAT(flow.addr_lo, testing::ElementsAre(192, 0, 2, 10));
  EXPECT_THAT(flow.addr_hi, testing::ElementsAre(198, 51, 100, 30));
  EXPECT_THAT(flow.port_lo, testing::ElementsAre(0x33, 0x44));
  EXPECT_THAT(flow.port_hi, testing::ElementsAre(0x11, 0x22));
  EXPECT_EQ(flow.proto, IPPROTO_UDP);
  EXPECT_EQ(state.owner, KUBECNI_FLOW_TO_POD);
  EXPECT_GT(state.last_seen_ns, 0u);
}

TEST_F(ToPod, BothDirectionsAreOneFlow) {
  deliver({.src = kRemotePod, .dst = kPodA, .src_port = 1, .dst_port = 2});
  deliver({.src = kPodA, .dst = kRemotePod, .src_port = 2, .dst_port = 1});

  EXPECT_EQ(kernel_flows().size(), 1u);
}

TEST_F(ToPod, BothDirectionsOfAPodsFlowToItselfAreOne) {
  deliver({.src = kPodA, .dst = kPodA, .src_port = 1, .dst_port = 2});
  deliver({.src = kPodA, .dst = kPodA, .src_port = 2, .dst_port = 1});

  EXPECT_EQ(kernel_flows().size(), 1u);
}

TEST_F(ToPod, MulticastPassesAndIsNotRecorded) {
  for (const char* dst_mac : {"01:00:5e:00:00:fb", "ff:ff:ff:ff:ff:ff"})
    EXPECT_THAT(deliver({.dst_mac = dst_mac}), LeftToKernel(KUBECNI_PASS_MULTICAST));

  EXPECT_TRUE(kernel_flows().empty());
}

TEST_F(ToPod, OldRecordIsRefreshed) {
  deliver({});
  auto [flow, state] = kernel_flows().front();
  state.last_seen_ns = 1;  // the machine had just been switched on
  set_kernel_flow(flow, state);

  deliver({});

  EXPECT_GT(kernel_flows().front().second.last_seen_ns, 1u);
}

TEST_F(ToPod, RecordedFlowStopsFromPodInTheOtherDirection) {
  for (const auto protocol : std::initializer_list<std::uint8_t>{IPPROTO_TCP, IPPROTO_UDP}) {
    deliver({.protocol = protocol, .src_port = 7000, .dst_port = 80});
    const Frame answer =
        frame_at(kFromPod, {.protocol = protocol, .src_port = 80, .dst_port = 7000});

    EXPECT_THAT(run(kFromPod, answer), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_F(ToPod, RecordedEchoStopsItsReplyOnly) {
  deliver({.protocol = IPPROTO_ICMP, .src_port = 5, .icmp_type = 8});
  const auto reply = [](std::uint16_t identifier) {
    return frame_at(kFromPod, {.protocol = IPPROTO_ICMP, .src_port = identifier, .icmp_type = 0});
  };

  EXPECT_THAT(run(kFromPod, reply(5)), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  EXPECT_THAT(run(kFromPod, reply(6)), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(reply(6))));
}

TEST_F(ToPod, RecordedFlowOfTheSameNodeStopsFromPod) {
  deliver({.src = kPodB, .dst = kPodA, .src_port = 7000, .dst_port = 80});

  EXPECT_THAT(run(kFromPod,
                  frame_at(kFromPod,
                           {.dst_mac = kPodBMac, .dst = kPodB, .src_port = 80, .dst_port = 7000})),
              LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_F(ToPod, OtherPortIsAnotherFlow) {
  deliver({.src_port = 7000, .dst_port = 80});
  const Frame other = frame_at(kFromPod, {.src_port = 80, .dst_port = 7001});

  EXPECT_THAT(run(kFromPod, other), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(other)));
}

TEST_F(ToPod, OtherProtocolIsAnotherFlow) {
  deliver({.protocol = IPPROTO_TCP, .src_port = 7000, .dst_port = 80});
  const Frame udp = frame_at(kFromPod, {.protocol = IPPROTO_UDP, .src_port = 80, .dst_port = 7000});

  EXPECT_THAT(run(kFromPod, udp), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(udp)));
}

TEST_F(ToPod, FirstFragmentIsRecordedAndALaterOneIsNot) {
  deliver({.src_port = 1, .fragment_offset = 8});
  EXPECT_TRUE(kernel_flows().empty());

  deliver({.src_port = 1, .more_fragments = true});
  EXPECT_EQ(kernel_flows().size(), 1u);
}

TEST_F(ToPod, WhatNeverIsRedirectedIsNotRecorded) {
  EXPECT_THAT(deliver({.src = kOutside}), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.option_bytes = 4}), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.protocol = IPPROTO_SCTP}), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({.protocol = IPPROTO_ICMP, .icmp_type = 3}),
              LeftToKernel(KUBECNI_KERNEL_TO_POD));

  EXPECT_TRUE(kernel_flows().empty());
}

}  // namespace
}  // namespace kubecni::test
