// from_pod and the IP packets of an honest pod.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class FromPod : public BothFamilies {
 protected:
  static Frame frame(const IpPacket& packet) { return frame_at(kFromPod, packet); }
  Passage send(const IpPacket& packet, Metadata metadata = {}) {
    return run(kFromPod, frame(packet), metadata);
  }
};

TEST_P(FromPod, PacketToAPodOfAnotherNodeIsSentThereOneHopOlder) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.dst = family().remote_pod, .protocol = protocol, .ttl = 64});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  }
}

TEST_P(FromPod, PacketToAnotherNodeCarriesTheMarkOfTheFastPathAndNoOther) {
  EXPECT_EQ(send({.dst = family().remote_pod}, {.mark = 0x1234}).mark, KUBECNI_MARK_FAST);
}

TEST_P(FromPod, PacketToANodeBehindTheTunnelGoesThereOneHopOlder) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.dst = family().tunnel_pod, .protocol = protocol});

    EXPECT_THAT(run(kFromPod, in),
                Redirected(KUBECNI_FAST_TO_TUNNEL,
                           with_macs(one_hop_older(in), kRemoteTunnelMac, kTunnelMac)));
  }
}

TEST_P(FromPod, PacketToTheTunnelCarriesTheMarkOfTheFastPathAndNoOther) {
  EXPECT_EQ(send({.dst = family().tunnel_pod}, {.mark = 0x1234}).mark, KUBECNI_MARK_FAST);
}

TEST_P(FromPod, PacketThatMayNotGoThroughTheTunnelIsLeftToTheKernelUnchanged) {
  const char* dst = family().tunnel_pod;
  EXPECT_THAT(send({.dst = dst, .ttl = 1}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
  EXPECT_THAT(send({.dst = dst, .payload_bytes = kNicMtu}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = dst}), LeftToKernel(KUBECNI_PASS_OTHER_MAC));
}

TEST_P(FromPod, PacketToAPodOfTheSameNodeIsSwitchedUnchanged) {
  for (const auto protocol : kProtocols) {
    const Frame in =
        frame({.dst_mac = kPodBMac, .dst = family().pod_b, .protocol = protocol, .ttl = 1});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_LOCAL_POD, in));
  }
}

TEST_P(FromPod, PacketToAPodOfTheSameNodeLosesMarkAndPriority) {
  const Passage passage =
      send({.dst_mac = kPodBMac, .dst = family().pod_b}, {.mark = 0x1234, .priority = 5});

  EXPECT_EQ(passage.mark, 0u);
  EXPECT_EQ(passage.priority, 0u);
}

TEST_P(FromPod, PacketLeftToTheKernelKeepsItsMark) {
  EXPECT_EQ(send({.dst = family().outside}, {.mark = 0x1234}).mark, 0x1234u);
}

TEST_P(FromPod, SameNodePacketToAnotherMacIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst_mac = kForeignMac, .dst = family().pod_b}),
              LeftToKernel(KUBECNI_PASS_OTHER_MAC));
}

TEST_P(FromPod, SameNodePacketToTheGatewayIsRouted) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.dst_mac = kGatewayMac, .dst = family().pod_b, .protocol = protocol});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_LOCAL_POD,
                                              with_macs(one_hop_older(in), kPodBMac, kGatewayMac)));
  }
  EXPECT_THAT(send({.dst_mac = kGatewayMac, .dst = family().pod_b, .ttl = 1}),
              LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
}

TEST_P(FromPod, PacketToAnotherNodeButNotToTheGatewayIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = family().remote_pod}),
              LeftToKernel(KUBECNI_PASS_OTHER_MAC));
}

TEST_P(FromPod, PodThatIsNotReadyIsLeftToTheKernel) {
  set_flags(family().pod_b, 0);

  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = family().pod_b}),
              LeftToKernel(KUBECNI_PASS_NOT_READY));
}

TEST_P(FromPod, WhatAShapedPodSendsOrIsSentIsLeftToTheKernel) {
  for (const char* shaped : {family().pod_a, family().pod_b}) {
    reset_the_maps();
    set_flags(shaped, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);

    EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = family().pod_b}),
                LeftToKernel(KUBECNI_PASS_SHAPED))
        << shaped;
  }
}

TEST_P(FromPod, WhatAPodWithALimitReceivesGoesThroughIt) {
  constexpr __u32 kLimited =
      KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED | KUBECNI_ENDPOINT_SHAPED_IN;
  set_flags(family().pod_b, kLimited);
  const Passage passage =
      send({.dst_mac = kPodBMac, .dst = family().pod_b}, {.mark = 0x1234, .priority = 5});
  EXPECT_EQ(passage.reason, KUBECNI_FAST_TO_LOCAL_POD);
  EXPECT_EQ(passage.mark, KUBECNI_MARK_FAST);
  EXPECT_EQ(passage.priority, 0u);

  reset_the_maps();
  set_flags(family().pod_a, kLimited);
  EXPECT_EQ(send({.dst_mac = kPodBMac, .dst = family().pod_b}).mark, 0u) << "it may send";
}

TEST_P(FromPod, WhatAPodSendsThatIsNotReadyItselfIsLeftToTheKernel) {
  set_flags(family().pod_a, 0);

  EXPECT_THAT(send({.dst_mac = kPodBMac, .dst = family().pod_b}),
              LeftToKernel(KUBECNI_PASS_NOT_READY));
  EXPECT_THAT(send({.dst = family().remote_pod}), LeftToKernel(KUBECNI_PASS_NOT_READY));
}

TEST_P(FromPod, AddressThatNoNodeOwnsIsLeftToTheKernel) {
  const IpNet remote = IpNet::parse(family().remote_cidr).value();
  const IpAddr last = remote.addr.filled(remote.prefix);
  for (const IpAddr& dst : {IpAddr::parse(family().outside).value(), last.plus(1)})
    EXPECT_THAT(send({.dst = dst.str()}), LeftToKernel(KUBECNI_PASS_NO_NODE)) << dst.str();
}

TEST_P(FromPod, FirstAndLastAddressOfANodeAreItsOwn) {
  const IpNet remote = IpNet::parse(family().remote_cidr).value();
  for (const IpAddr& dst : {remote.addr, remote.addr.filled(remote.prefix)}) {
    const Frame in = frame({.dst = dst.str()});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)))
        << dst.str();
  }
}

TEST_P(FromPod, AddressOfThisNodeWithoutAPodIsLeftToTheKernel) {
  EXPECT_THAT(send({.dst = family().no_pod}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_P(FromPod, LastHopIsSpentByTheKernelWhichAnswers) {
  const Frame in = frame({.ttl = 2});

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  EXPECT_THAT(send({.ttl = 1}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
  EXPECT_THAT(send({.ttl = 0}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
}

TEST_P(FromPod, EchoReplyAndIcmpErrorAreForwarded) {
  for (const auto type : {family().echo_reply, family().icmp_error}) {
    const Frame in = frame({.protocol = IPPROTO_ICMP, .icmp_type = type});

    EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  }
}

TEST_P(FromPod, IcmpErrorToAThirdOrAboutAnotherProtocolIsLeftToTheKernel) {
  const IpPacket own{.family = family().af, .src = family().remote_pod, .dst = family().pod_a};
  const auto about = [&](const IpPacket& packet, std::size_t bytes = 512) {
    return send({.protocol = IPPROTO_ICMP,
                 .icmp_type = family().icmp_error,
                 .icmp_body = error_about(packet, bytes)});
  };
  ASSERT_EQ(about(own).reason, KUBECNI_FAST_TO_NODE);

  IpPacket of_another = own;
  of_another.src = family().pod_b;
  EXPECT_THAT(about(of_another), LeftToKernel(KUBECNI_PASS_PROTOCOL));
  IpPacket echo = own;
  echo.protocol = IPPROTO_ICMP;
  EXPECT_EQ(about(echo).reason, KUBECNI_FAST_TO_NODE);
  IpPacket other = own;
  other.protocol = IPPROTO_GRE;
  EXPECT_THAT(about(other), LeftToKernel(KUBECNI_PASS_PROTOCOL));
  EXPECT_THAT(about(own, family().ip_header + 3), LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_P(FromPod, OtherProtocolIsLeftToTheKernel) {
  for (const auto protocol : std::initializer_list<std::uint8_t>{IPPROTO_GRE, IPPROTO_NONE})
    EXPECT_THAT(send({.protocol = protocol}), LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_P(FromPod, MulticastAndBroadcastAreLeftToTheKernel) {
  for (const char* dst_mac : {"01:00:5e:00:00:01", "33:33:00:00:00:01"})
    EXPECT_THAT(send({.dst_mac = dst_mac, .dst = family().outside}),
                LeftToKernel(KUBECNI_PASS_MULTICAST));
  EXPECT_THAT(send({.dst_mac = "ff:ff:ff:ff:ff:ff", .dst = family().pod_b}),
              LeftToKernel(KUBECNI_PASS_MULTICAST));
}

TEST_P(FromPod, PacketAsLongAsTheMtuIsForwardedAndALongerOneLeftToTheKernel) {
  const std::size_t headers = family().ip_header + 8;
  const Frame fits = frame({.payload_bytes = kNicMtu - headers});

  EXPECT_THAT(run(kFromPod, fits), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(fits)));
  EXPECT_THAT(send({.payload_bytes = kNicMtu - headers + 1}), LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_P(FromPod, SegmentsOfALongPacketHaveToFitTheMtu) {
  const auto ip_header = static_cast<std::uint32_t>(family().ip_header);
  const Frame tcp = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});
  const Frame udp = frame({.protocol = IPPROTO_UDP, .payload_bytes = 2800});

  EXPECT_THAT(run(kFromPod, tcp, {.gso_size = kNicMtu - ip_header - 20}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(tcp)));
  EXPECT_THAT(run(kFromPod, tcp, {.gso_size = kNicMtu - ip_header - 19}),
              LeftToKernel(KUBECNI_PASS_OVER_MTU));
  EXPECT_THAT(run(kFromPod, udp, {.gso_size = kNicMtu - ip_header - 8}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(udp)));
  EXPECT_THAT(run(kFromPod, udp, {.gso_size = kNicMtu - ip_header - 7}),
              LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_P(FromPod, TcpOptionsCountAmongTheHeadersOfEachSegment) {
  const auto ip_header = static_cast<std::uint32_t>(family().ip_header);
  const std::size_t data_offset_at = ETH_HLEN + family().ip_header + 12;
  Frame in = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});
  in[data_offset_at] = 8 << 4;  // words: timestamps, as Linux sends them

  EXPECT_THAT(run(kFromPod, in, {.gso_size = kNicMtu - ip_header - 32}),
              Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
  EXPECT_THAT(run(kFromPod, in, {.gso_size = kNicMtu - ip_header - 31}),
              LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

TEST_P(FromPod, MtuIsThatOfTheWayToTheNode) {
  add_node(family().remote_cidr, KUBECNI_NODE_DIRECT, 1400);

  EXPECT_THAT(send({.payload_bytes = 1400 - family().ip_header - 7}),
              LeftToKernel(KUBECNI_PASS_OVER_MTU));
}

KUBECNI_FOR_BOTH_FAMILIES(FromPod);

class FromPodIpv4 : public BpfTest {
 protected:
  static Frame frame(const IpPacket& packet) { return frame_at(kFromPod, packet); }
  Passage send(const IpPacket& packet) { return run(kFromPod, frame(packet)); }
};

TEST_F(FromPodIpv4, LongestPrefixDecides) {
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

TEST_F(FromPodIpv4, OptionsAreLeftToTheKernel) {
  for (const std::size_t bytes : {4, 40})
    EXPECT_THAT(send({.option_bytes = bytes}), LeftToKernel(KUBECNI_PASS_IP_OPTIONS));
}

TEST_F(FromPodIpv4, FragmentsAreLeftToTheKernel) {
  EXPECT_THAT(send({.more_fragments = true}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(send({.fragment_offset = 8, .more_fragments = true}),
              LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(send({.fragment_offset = 65528}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
}

TEST_F(FromPodIpv4, DontFragmentPacketIsNotAFragment) {
  const Frame in = frame({.dont_fragment = true});

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(in)));
}

}  // namespace
}  // namespace kubecni::test
