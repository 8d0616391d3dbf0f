// A pod's ARP goes by the bridge, if it is about the pod's own address.
#include "fixture.hpp"

#include <linux/if_ether.h>

namespace kubecni::test {
namespace {

class FromPodArp : public BpfTest {
 protected:
  /// Sends the message as pod A, unless given otherwise.
  Passage send(ArpPacket arp) {
    if (arp.src_mac.empty()) arp.src_mac = kPodAMac;
    if (arp.sender_mac.empty()) arp.sender_mac = kPodAMac;
    if (arp.sender_ip.empty()) arp.sender_ip = kPodA;
    if (arp.target_ip.empty()) arp.target_ip = kPodB;
    return run(kFromPod, arp_packet(arp));
  }
};

TEST_F(FromPodArp, RequestAndReplyAreLeftToTheKernel) {
  EXPECT_THAT(send({.operation = 1}), LeftToKernel(KUBECNI_PASS_ARP));
  EXPECT_THAT(send({.dst_mac = kPodBMac, .operation = 2, .target_mac = kPodBMac}),
              LeftToKernel(KUBECNI_PASS_ARP));
}

TEST_F(FromPodArp, ProbeWithoutASenderAddressIsAccepted) {
  EXPECT_THAT(send({.sender_ip = "0.0.0.0", .target_ip = kPodA}), LeftToKernel(KUBECNI_PASS_ARP));
}

TEST_F(FromPodArp, AnnouncementOfTheOwnAddressIsLeftToTheKernel) {
  EXPECT_THAT(send({.sender_ip = kPodA, .target_ip = kPodA}), LeftToKernel(KUBECNI_PASS_ARP));
}

TEST_F(FromPodArp, EachAddressOfAPodWithTwoIsItsOwn) {
  const IpAddr second = IpAddr::parse(kPodA).value().plus(1);
  add_address(kPodA, second);

  EXPECT_THAT(send({.sender_ip = second.str()}), LeftToKernel(KUBECNI_PASS_ARP));
}

TEST_F(FromPodArp, ForeignSenderAddressIsDropped) {
  for (const char* sender_ip : {kPodB, "192.0.2.1", kOutside})
    EXPECT_THAT(send({.operation = 2, .sender_ip = sender_ip}), Dropped(KUBECNI_DROP_SPOOFED_ARP))
        << sender_ip;
}

TEST_F(FromPodArp, ForeignSenderMacIsDropped) {
  EXPECT_THAT(send({.sender_mac = kGatewayMac}), Dropped(KUBECNI_DROP_SPOOFED_ARP));
  EXPECT_THAT(send({.sender_mac = kGatewayMac, .sender_ip = "0.0.0.0"}),
              Dropped(KUBECNI_DROP_SPOOFED_ARP));
}

TEST_F(FromPodArp, ForeignEthernetSourceIsDropped) {
  EXPECT_THAT(send({.src_mac = kPodBMac}), Dropped(KUBECNI_DROP_SPOOFED_ARP));
}

TEST_F(FromPodArp, ReplyWithoutASenderAddressIsDropped) {
  EXPECT_THAT(send({.operation = 2, .sender_ip = "0.0.0.0"}), Dropped(KUBECNI_DROP_SPOOFED_ARP));
}

TEST_F(FromPodArp, AnythingButIpv4OverEthernetIsDropped) {
  const Frame right = arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodA});
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Frame other = right;
    other.at(ETH_HLEN + at) = value;
    return other;
  };
  ASSERT_THAT(run(kFromPod, right), LeftToKernel(KUBECNI_PASS_ARP));

  EXPECT_THAT(run(kFromPod, with(1, 6)), Dropped(KUBECNI_DROP_SPOOFED_ARP)) << "IEEE 802";
  EXPECT_THAT(run(kFromPod, with(2, 0x86)), Dropped(KUBECNI_DROP_SPOOFED_ARP)) << "protocol";
  EXPECT_THAT(run(kFromPod, with(4, 8)), Dropped(KUBECNI_DROP_SPOOFED_ARP)) << "MAC length";
  EXPECT_THAT(run(kFromPod, with(5, 16)), Dropped(KUBECNI_DROP_SPOOFED_ARP)) << "address length";
  EXPECT_THAT(run(kFromPod, with(7, 3)), Dropped(KUBECNI_DROP_SPOOFED_ARP)) << "reverse ARP";
}

TEST_F(FromPodArp, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.sender_ip = kPodB}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodArp, MessageThatEndsEarlyIsDropped) {
  Frame cut = arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = kPodA});
  while (cut.size() > ETH_HLEN) {
    cut.pop_back();

    EXPECT_THAT(run(kFromPod, cut), Dropped(KUBECNI_DROP_SHORT_PACKET)) << cut.size();
  }
}

}  // namespace
}  // namespace kubecni::test
