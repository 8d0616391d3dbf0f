// from_wire and the packets that a node's NIC receives.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class FromWire : public BothFamilies {
 protected:
  static Frame frame(const IpPacket& packet) { return frame_at(kFromWire, packet); }
  Passage receive(const IpPacket& packet) { return run(kFromWire, frame(packet)); }
  /// The packet as pod A gets it.
  static Frame delivered(const Frame& frame) {
    return with_macs(one_hop_older(frame), kPodAMac, kGatewayMac);
  }
};

/// Headers of only one family.
class FromWireHeaders : public BpfTest {
 protected:
  Passage receive(const IpPacket& packet) { return run(kFromWire, frame_at(kFromWire, packet)); }
};

TEST_P(FromWire, PacketOfAPodOfAnotherNodeIsDeliveredOneHopOlder) {
  for (const auto protocol : kProtocols) {
    const Frame in =
        frame({.src = family().remote_pod, .dst = family().pod_a, .protocol = protocol});

    EXPECT_THAT(run(kFromWire, in), Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
  }
}

TEST_P(FromWire, PacketIntoAPodLosesMarkAndPriority) {
  const Passage passage = run(kFromWire, frame({}), {.mark = 0xffffffff, .priority = 5});

  EXPECT_EQ(passage.mark, 0u);
  EXPECT_EQ(passage.priority, 0u);
}

TEST_P(FromWire, PacketLeftToTheKernelKeepsItsMark) {
  EXPECT_EQ(run(kFromWire, frame({.dst = family().outside}), {.mark = 0x1234}).mark, 0x1234u);
}

TEST_P(FromWire, LastHopIsSpentByTheKernelWhichAnswers) {
  const Frame in = frame({.ttl = 2});

  EXPECT_THAT(run(kFromWire, in), Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
  EXPECT_THAT(receive({.ttl = 1}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
  EXPECT_THAT(receive({.ttl = 0}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
}

TEST_P(FromWire, PacketThatWasMergedOnReceiptIsDelivered) {
  const Frame in = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});

  EXPECT_THAT(run(kFromWire, in, {.gso_size = 1460}),
              Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
}

TEST_P(FromWire, FrameToAnotherHostIsLeftToTheKernel) {
  for (const char* dst_mac : {kForeignMac, "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"})
    EXPECT_THAT(receive({.dst_mac = dst_mac}), LeftToKernel(KUBECNI_PASS_NOT_TO_HOST)) << dst_mac;
}

TEST_P(FromWire, AddressWithoutAPodIsLeftToTheKernel) {
  for (const char* dst : {family().no_pod, family().outside})
    EXPECT_THAT(receive({.dst = dst}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT)) << dst;
}

TEST_P(FromWire, PodThatIsNotReadyIsLeftToTheKernel) {
  set_flags(family().pod_a, 0);

  EXPECT_THAT(receive({}), LeftToKernel(KUBECNI_PASS_NOT_READY));
}

TEST_P(FromWire, SenderThatIsNoPodOfAnotherNodeIsLeftToTheKernel) {
  for (const char* src : {family().outside, family().remote_node, family().pod_b, family().no_pod})
    EXPECT_THAT(receive({.src = src}), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD)) << src;
}

TEST_P(FromWire, PodOfANodeBehindTheTunnelMayComeByTheWire) {
  const Frame in = frame({.src = family().tunnel_pod});

  EXPECT_THAT(run(kFromWire, in), Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
}

TEST_P(FromWire, LongestPrefixDecidesWhoseTheSenderIs) {
  const IpAddr remote = IpAddr::parse(family().remote_pod).value();
  add_node(remote.str() + "/" + std::to_string(remote.bits()), KUBECNI_NODE_LOCAL);

  EXPECT_THAT(receive({.src = remote.str()}), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_P(FromWire, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(receive({}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_F(FromWireHeaders, OptionsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.option_bytes = 4}), LeftToKernel(KUBECNI_PASS_IP_OPTIONS));
}

TEST_F(FromWireHeaders, FragmentsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.more_fragments = true}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(receive({.fragment_offset = 8}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
}

TEST_F(FromWireHeaders, ExtensionHeadersAreLeftToTheKernel) {
  for (const auto header : std::initializer_list<std::uint8_t>{
           IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_AH})
    EXPECT_THAT(receive({.family = AF_INET6, .extension_headers = {header}}),
                LeftToKernel(KUBECNI_PASS_EXTENSION_HEADER))
        << int{header};
}

TEST_F(FromWireHeaders, NeighbourDiscoveryIsLeftToTheKernel) {
  EXPECT_THAT(run(kFromWire, nd_message({.dst_mac = kNicMac,
                                         .src_mac = kRemoteNodeMac,
                                         .src = kIpv6.remote_pod,
                                         .dst = kIpv6.pod_a})),
              LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
}

TEST_P(FromWire, OtherProtocolsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.protocol = IPPROTO_GRE}), LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_P(FromWire, OtherEthertypesAreLeftToTheKernel) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_LLDP})
    EXPECT_THAT(run(kFromWire, ethernet_frame(kNicMac, kRemoteNodeMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IP));
}

TEST_P(FromWire, HeaderThatIsNoIpIsLeftToTheKernel) {
  Frame broken = frame({});
  broken[ETH_HLEN] = 0x75;

  EXPECT_THAT(run(kFromWire, broken), LeftToKernel(KUBECNI_PASS_NOT_IP));
}

TEST_P(FromWire, PacketForAPodThatEndsInItsTransportHeaderIsDropped) {
  Frame cut = frame({.protocol = IPPROTO_TCP});
  cut.resize(ETH_HLEN + family().ip_header + 19);

  EXPECT_THAT(run(kFromWire, cut), Dropped(KUBECNI_DROP_SHORT_PACKET));
}

KUBECNI_FOR_BOTH_FAMILIES(FromWire);

}  // namespace
}  // namespace kubecni::test
