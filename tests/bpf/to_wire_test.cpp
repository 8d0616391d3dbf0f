// to_wire only watches what leaves by the NIC: it takes the fast path's mark
// away, and remembers the flows between pods that came by the kernel.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class ToWire : public BpfTest {
 protected:
  Passage send(const Ipv4Packet& packet, Metadata metadata = {}) {
    return run(kToWire, frame_at(kToWire, packet), metadata);
  }
};

TEST_F(ToWire, MarkOfTheFastPathIsClearedAndOtherBitsStay) {
  const auto sent = send({}, {.mark = 0xabcd | KUBECNI_MARK_FAST});

  EXPECT_THAT(sent, LeftToKernel(KUBECNI_FAST_SENT_TO_WIRE));
  EXPECT_EQ(sent.mark, 0xabcdu);
}

TEST_F(ToWire, OtherMarksStay) {
  const auto sent = send({}, {.mark = ~std::uint32_t{KUBECNI_MARK_FAST}});

  EXPECT_THAT(sent, LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  EXPECT_EQ(sent.mark, ~std::uint32_t{KUBECNI_MARK_FAST});
}

TEST_F(ToWire, FlowOfTheFastPathIsNotRecorded) {
  send({}, {.mark = KUBECNI_MARK_FAST});

  EXPECT_TRUE(kernel_flows().empty());
}

TEST_F(ToWire, FlowBetweenPodsIsRecorded) {
  for (const auto protocol : kProtocols) {
    EXPECT_THAT(send({.src = kPodA, .dst = kRemotePod, .protocol = protocol}),
                LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  }

  ASSERT_EQ(kernel_flows().size(), std::size(kProtocols));
  EXPECT_EQ(kernel_flows().front().second.owner, KUBECNI_FLOW_TO_WIRE);
}

TEST_F(ToWire, FlowThatIsForwardedBetweenOtherNodesIsRecorded) {
  EXPECT_THAT(send({.src = kRemotePod, .dst = "198.51.100.31"}),
              LeftToKernel(KUBECNI_KERNEL_TO_WIRE));

  EXPECT_EQ(kernel_flows().size(), 1u);
}

TEST_F(ToWire, RecordedFlowStopsFromWireInTheOtherDirection) {
  send({.src_port = 80, .dst_port = 7000});

  EXPECT_THAT(run(kFromWire, frame_at(kFromWire, {.src_port = 7000, .dst_port = 80})),
              LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_F(ToWire, RecordedFlowStopsFromPodToo) {
  send({.src_port = 80, .dst_port = 7000});

  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, {.src_port = 80, .dst_port = 7000})),
              LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_F(ToWire, RecordedEchoStopsItsReply) {
  send({.protocol = IPPROTO_ICMP, .src_port = 5, .icmp_type = 8});

  EXPECT_THAT(run(kFromWire,
                  frame_at(kFromWire, {.protocol = IPPROTO_ICMP, .src_port = 5, .icmp_type = 0})),
              LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_F(ToWire, OtherPortIsAnotherFlow) {
  send({.src_port = 80, .dst_port = 7000});
  const Frame other = frame_at(kFromWire, {.src_port = 7001, .dst_port = 80});

  EXPECT_THAT(
      run(kFromWire, other),
      Redirected(KUBECNI_FAST_FROM_WIRE, with_macs(one_hop_older(other), kPodAMac, kGatewayMac)));
}

TEST_F(ToWire, WhatIsNotBetweenPodsIsCountedApartAndNotRecorded) {
  for (const char* dst : {kOutside, kRemoteNode, kPodB})
    EXPECT_THAT(send({.dst = dst}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE_OTHER)) << dst;
  for (const char* src : {kOutside, "203.0.113.1", "192.0.2.99"})
    EXPECT_THAT(send({.src = src}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE_OTHER)) << src;

  EXPECT_TRUE(kernel_flows().empty());
}

TEST_F(ToWire, FirstFragmentIsRecordedAndALaterOneIsNot) {
  EXPECT_THAT(send({.fragment_offset = 8}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  EXPECT_TRUE(kernel_flows().empty());

  EXPECT_THAT(send({.more_fragments = true}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  EXPECT_EQ(kernel_flows().size(), 1u);
}

TEST_F(ToWire, WhatNeverIsRedirectedIsNotRecorded) {
  EXPECT_THAT(send({.option_bytes = 4}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  EXPECT_THAT(send({.protocol = IPPROTO_SCTP}), LeftToKernel(KUBECNI_KERNEL_TO_WIRE));
  EXPECT_THAT(send({.protocol = IPPROTO_ICMP, .icmp_type = 3}),
              LeftToKernel(KUBECNI_KERNEL_TO_WIRE));

  EXPECT_TRUE(kernel_flows().empty());
}

TEST_F(ToWire, OtherEthertypesAndBrokenHeadersPass) {
  Frame broken = frame_at(kToWire, {});
  broken[ETH_HLEN] = 0x65;

  EXPECT_THAT(run(kToWire, broken), LeftToKernel(KUBECNI_KERNEL_TO_WIRE_OTHER));
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_IPV6})
    EXPECT_THAT(run(kToWire, ethernet_frame(kRemoteNodeMac, kNicMac, ethertype, 60)),
                LeftToKernel(KUBECNI_KERNEL_TO_WIRE_OTHER));
}

}  // namespace
}  // namespace kubecni::test
