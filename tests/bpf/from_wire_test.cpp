// What from_wire does with what a node's NIC receives.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class FromWire : public BpfTest {
 protected:
  static Frame frame(const Ipv4Packet& packet) { return frame_at(kFromWire, packet); }
  Passage receive(const Ipv4Packet& packet) { return run(kFromWire, frame(packet)); }
  /// How pod A gets the packet.
  static Frame delivered(const Frame& frame) {
    return with_macs(one_hop_older(frame), kPodAMac, kGatewayMac);
  }
};

TEST_F(FromWire, PacketOfAPodOfAnotherNodeIsDeliveredOneHopOlder) {
  for (const auto protocol : kProtocols) {
    const Frame in = frame({.src = kRemotePod, .dst = kPodA, .protocol = protocol});

    EXPECT_THAT(run(kFromWire, in), Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
  }
}

TEST_F(FromWire, PacketIntoAPodLosesItsMark) {
  EXPECT_EQ(run(kFromWire, frame({}), {.mark = 0xffffffff}).mark, 0u);
}

TEST_F(FromWire, PacketLeftToTheKernelKeepsItsMark) {
  EXPECT_EQ(run(kFromWire, frame({.dst = kOutside}), {.mark = 0x1234}).mark, 0x1234u);
}

TEST_F(FromWire, LastHopIsSpentByTheKernelWhichAnswers) {
  const Frame in = frame({.ttl = 2});

  EXPECT_THAT(run(kFromWire, in), Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
  EXPECT_THAT(receive({.ttl = 1}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
  EXPECT_THAT(receive({.ttl = 0}), LeftToKernel(KUBECNI_PASS_TTL_EXPIRED));
}

TEST_F(FromWire, PacketThatWasMergedOnReceiptIsDelivered) {
  const Frame in = frame({.protocol = IPPROTO_TCP, .payload_bytes = 2800});

  EXPECT_THAT(run(kFromWire, in, {.gso_size = 1460}),
              Redirected(KUBECNI_FAST_FROM_WIRE, delivered(in)));
}

TEST_F(FromWire, FrameToAnotherHostIsLeftToTheKernel) {
  for (const char* dst_mac : {kForeignMac, "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"})
    EXPECT_THAT(receive({.dst_mac = dst_mac}), LeftToKernel(KUBECNI_PASS_NOT_TO_HOST)) << dst_mac;
}

TEST_F(FromWire, AddressWithoutAPodIsLeftToTheKernel) {
  for (const char* dst : {"192.0.2.99", kOutside})
    EXPECT_THAT(receive({.dst = dst}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT)) << dst;
}

TEST_F(FromWire, PodThatIsNotReadyIsLeftToTheKernel) {
  set_flags(kPodA, 0);

  EXPECT_THAT(receive({}), LeftToKernel(KUBECNI_PASS_NOT_READY));
}

TEST_F(FromWire, SenderThatIsNoPodOfAnotherNodeIsLeftToTheKernel) {
  for (const char* src : {kOutside, kRemoteNode, kPodB, "192.0.2.99"})
    EXPECT_THAT(receive({.src = src}), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD)) << src;
}

TEST_F(FromWire, LongestPrefixDecidesWhoseTheSenderIs) {
  add_node("198.51.100.128/25", KUBECNI_NODE_LOCAL);

  EXPECT_THAT(receive({.src = "198.51.100.128"}), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_F(FromWire, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(receive({}), LeftToKernel(KUBECNI_PASS_NO_ENDPOINT));
}

TEST_F(FromWire, OptionsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.option_bytes = 4}), LeftToKernel(KUBECNI_PASS_IP_OPTIONS));
}

TEST_F(FromWire, FragmentsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.more_fragments = true}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
  EXPECT_THAT(receive({.fragment_offset = 8}), LeftToKernel(KUBECNI_PASS_FRAGMENT));
}

TEST_F(FromWire, IcmpErrorAndOtherProtocolsAreLeftToTheKernel) {
  EXPECT_THAT(receive({.protocol = IPPROTO_ICMP, .icmp_type = 3}),
              LeftToKernel(KUBECNI_PASS_PROTOCOL));
  EXPECT_THAT(receive({.protocol = IPPROTO_SCTP}), LeftToKernel(KUBECNI_PASS_PROTOCOL));
}

TEST_F(FromWire, OtherEthertypesAreLeftToTheKernel) {
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_IPV6})
    EXPECT_THAT(run(kFromWire, ethernet_frame(kNicMac, kRemoteNodeMac, ethertype, 60)),
                LeftToKernel(KUBECNI_PASS_NOT_IPV4));
}

TEST_F(FromWire, HeaderThatIsNoIpv4IsLeftToTheKernel) {
  Frame broken = frame({});
  broken[ETH_HLEN] = 0x65;

  EXPECT_THAT(run(kFromWire, broken), LeftToKernel(KUBECNI_PASS_NOT_IPV4));
}

TEST_F(FromWire, PacketForAPodThatEndsInItsTransportHeaderIsDropped) {
  Frame cut = frame({.protocol = IPPROTO_TCP});
  cut.resize(ETH_HLEN + 20 + 19);

  EXPECT_THAT(run(kFromWire, cut), Dropped(KUBECNI_DROP_SHORT_PACKET));
}

}  // namespace
}  // namespace kubecni::test
