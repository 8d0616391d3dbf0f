// What from_pod does with the IPv4 packets of a pod that says who it is.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class FromPod : public BpfTest {
 protected:
  static Frame frame(const Ipv4Packet& packet) { return frame_at(kFromPod, packet); }
  Passage send(const Ipv4Packet& packet, Metadata metadata = {}) {
    return run(kFromPod, frame(packet), metadata);
  }
};

TEST_F(FromPod, PacketToAPodOfAnotherNodeIsSentThereOneHopOlder) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.dst = kRemotePod, .protocol = protocol, .ttl = 64});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  }
}

TEST_F(FromPod, PacketToAnotherNodeCarriesTheMarkOfTheFastPathAndNoOther) {
  EXPECT_EQ(send({.dst = kRemotePod}, {.mark = 0x1234}).mark, KUBECNI_MARK_FAST);
}

TEST_F(FromPod, PacketToAPodOfTheSameNodeIsSwitchedUnchanged) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.dst_mac = kPodBMac, .dst = kPodB, .protocol = protocol, .ttl = 1});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_LOCAL_POD, in));
  }
}

TEST_F(FromPod, PacketToAPodOfTheSameNodeLosesItsMark) {
  EXPECT_EQ(send({.dst_mac = kPodBMac, .dst = kPodB}, {.mark = 0x1234}).mark, 0u);
}

TEST_F(FromPod, PacketLeftToTheKernelKeepsItsMark) {
  EXPECT_EQ(send({.dst = kOutside}, {.mark = 0x1234}).mark, 0x1234u);
}

TEST_F(FromPod, SameNodePacketToAnotherMacIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst_mac = kGatewayMac, .dst = kPodB}), LeftToKernel(KUBECNI_PASS_OTHER_MAC));
}

TEST_F(FromPod, PacketToAnotherNodeButNotToTheGatewayIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = kRemotePod}), LeftToKernel(KUBECNI_PASS_OTHER_MAC));
}

TEST_F(FromPod, PodThatIsNotReadyIsLeftToTheKernel) {
  set_flags(kPodB, 0);

  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = kPodB}), LeftToKernel(KUBECNI_PASS_NOT_READY));
}

TEST_F(FromPod, WhatAShapedPodSendsOrIsSentIsLeftToTheKernel) {
  for (const char* shaped : {kPodA, kPodB}) {
    reset_the_maps();
    set_flags(shaped, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);

    EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = kPodB}), LeftToKernel(KUBECNI_PASS_SHAPED))
        << shaped;
  }
}

TEST_F(FromPod, OwnReadinessIsNotAskedOfASender) {
  set_flags(kPodA, 0);
  const Frame in = frame({.dst_mac = kPodBMac, .dst = kPodB});

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_LOCAL_POD, in));
}

TEST_F(FromPod, AddressThatNoNodeOwnsIsLeftToTheKernel) {
  for (const char* dst : {kOutside, "198.51.99.255", "198.51.101.0", "224.0.0.1"})
    EXPECT_THAT(send({.dst = dst}), LeftToKernel(KUBECNI_PASS_NO_NODE)) << dst;
}

TEST_F(FromPod, FirstAndLastAddressOfANodeAreItsOwn) {
  for (const char* dst : {"198.51.100.0", "198.51.100.255"}) {
    const Frame in = frame({.dst = dst});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in))) << dst;
  }
}

TEST_F(FromPod, AddressOfThisNodeWithoutAPodIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst = "192.0.2.99"}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_F(FromPod, LongestPrefixDecides) {
  add_node("0.0.0.0/0", KUBECNI_NODE_LOCAL);
  add_node("198.51.100.128/25", KUBECNI_NODE_LOCAL);
  add_node("198.51.100.200/32", KUBECNI_NODE_DIRECT);
  const Frame lower = frame({.dst = "198.51.100.127"});
  const Frame alone = frame({.dst = "198.51.100.200"});

  EXPECT_THAT(run(kFromPod, lower), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(lower)));
  EXPECT_THAT(run(kFromPod, alone), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(alone)));
  EXPECT_THAT(send({.dst = "198.51.100.128"}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
  EXPECT_THAT(send({.dst = kOutside}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_F(FromPod, LastHopIsSpentByTheKernelWhichAnswers) {
  const Frame in = frame({.ttl = 2});

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  EXPECT_THAT(send({.ttl = 1}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
  EXPECT_THAT(send({.ttl = 0}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
}

TEST_F(FromPod, OptionsAreLeftToTheKernel) {
  for (const std::size_t bytes : {4, 40})
    EXPECT_THAT(send({.option_bytes = bytes}), LeftToKernel(KUBECNI_PASS_IP_OPTIONS));
}

TEST_F(FromPod, FragmentsAreLeftToTheKernel) {
  EXPECT_THAT(send({.more_fragments = true}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(send({.fragment_offset = 8, .more_fragments = true}),
              LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(send({.fragment_offset = 65528}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
}

TEST_F(FromPod, PacketThatMustNotBeFragmentedIsNoFragment) {
  const Frame in = frame({.dont_fragment = true});

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
}

TEST_F(FromPod, EchoReplyIsForwardedAndAnIcmpErrorLeftToTheKernel) {
  const Frame reply = frame({.protocol = IPPROTO_ICMP, .icmp_type = 0});

  EXPECT_THAT(run(kFromPod, reply), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(reply)));
  for (const auto error : std::initializer_list<std::uint8_t>{3, 11})
    EXPECT_THAT(send({.protocol = IPPROTO_ICMP, .icmp_type = error}),
                LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_F(FromPod, OtherProtocolIsLeftToTheKernel) {
  EXPECT_THAT(send({.protocol = IPPROTO_SCTP}), LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_F(FromPod, MulticastAndBroadcastAreLeftToTheKernel) {
  EXPECT_THAT(send({.dst_mac = "01:00:5e:00:00:01", .dst = "224.0.0.1"}),
              LeftToKernel(KUBECNI_PASS_MULTICAST));
  EXPECT_THAT(send({.dst_mac = "ff:ff:ff:ff:ff:ff", .dst = kPodB}),
              LeftToKernel(KUBECNI_PASS_MULTICAST));
}

TEST_F(FromPod, OtherEthertypesAreLeftToTheKernel) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_IPV6, ETH_P_LLDP})
    EXPECT_THAT(run(kFromPod, ethernet_frame(kGatewayMac, kPodAMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IPV4));
}

TEST_F(FromPod, PacketAsLongAsTheMtuIsForwardedAndALongerOneLeftToTheKernel) {
  const Frame fits = frame({.payload_bytes = kNicMtu - 28});

  EXPECT_THAT(run(kFromPod, fits), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(fits)));
  EXPECT_THAT(send({.payload_bytes = kNicMtu - 27}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_F(FromPod, SegmentsOfALongPacketHaveToFitTheMtu) {
  const Frame tcp = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});
  const Frame udp = frame({.protocol = IPPROTO_UDP, .payload_bytes = 2800});

  EXPECT_THAT(run(kFromPod, tcp, {.gso_size = kNicMtu - 40}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(tcp)));
  EXPECT_THAT(run(kFromPod, tcp, {.gso_size = kNicMtu - 39}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
  EXPECT_THAT(run(kFromPod, udp, {.gso_size = kNicMtu - 28}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(udp)));
  EXPECT_THAT(run(kFromPod, udp, {.gso_size = kNicMtu - 27}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_F(FromPod, TcpOptionsCountAmongTheHeadersOfEachSegment) {
  constexpr std::size_t kDataOffsetAt = ETH_HLEN + 20 + 12;
  Frame in = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});
  in[kDataOffsetAt] = 8 << 4;  // words: timestamps, as Linux sends them

  EXPECT_THAT(run(kFromPod, in, {.gso_size = kNicMtu - 52}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  EXPECT_THAT(run(kFromPod, in, {.gso_size = kNicMtu - 51}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_F(FromPod, MtuIsThatOfTheWayToTheNode) {
  add_node("198.51.100.0/24", KUBECNI_NODE_DIRECT, 1400);

  EXPECT_THAT(send({.payload_bytes = 1400 - 27}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

}  // namespace
}  // namespace kubecni::test
