// Who a pod may be for from_pod: only itself, but what the maps do not know is
// no lie.
#include "fixture.hpp"

#include <linux/pkt_cls.h>

namespace kubecni::test {
namespace {

class FromPodSender : public BpfTest {
 protected:
  Passage send(const Ipv4Packet& packet) { return run(kFromPod, frame_at(kFromPod, packet)); }
};

TEST_F(FromPodSender, AddressThatIsNotThePodsIsDropped) {
  for (const char* src : {kPodB, kRemotePod, kOutside, "192.0.2.99"})
    EXPECT_THAT(send({.src = src}), Dropped(KUBECNI_DROP_SPOOFED_IP)) << src;
}

TEST_F(FromPodSender, AddressAndMacOfAnotherPodAreDropped) {
  EXPECT_THAT(send({.src_mac = kPodBMac, .src = kPodB}), Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_F(FromPodSender, MacThatIsNotThePodsIsDropped) {
  for (const char* src_mac : {kPodBMac, kForeignMac, kGatewayMac})
    EXPECT_THAT(send({.src_mac = src_mac}), Dropped(KUBECNI_DROP_SPOOFED_MAC)) << src_mac;
}

TEST_F(FromPodSender, EachByteOfTheMacIsCompared) {
  const Frame right = frame_at(kFromPod, {});
  for (std::size_t at = 6; at < 12; ++at) {
    Frame wrong = right;
    wrong[at] ^= 0x80;

    EXPECT_THAT(run(kFromPod, wrong), Dropped(KUBECNI_DROP_SPOOFED_MAC)) << "byte " << at;
  }
}

TEST_F(FromPodSender, LieIsDroppedWhereverItGoes) {
  EXPECT_THAT(send({.dst_mac = "01:00:5e:00:00:01", .src = kPodB, .dst = "224.0.0.1"}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
  EXPECT_THAT(send({.src = kPodB, .dst = kOutside, .more_fragments = true}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_F(FromPodSender, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = kPodB}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src_mac = kForeignMac}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodSender, EmptiedNodeMapDropsNothing) {
  remove_node("192.0.2.0/24");
  remove_node("198.51.100.0/24");

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_NO_NODE));
}

TEST_F(FromPodSender, PodWithoutEndpointIsUnknownWhateverItSays) {
  remove_endpoint(kPodA);

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = kPodB}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodSender, PodWithoutInterfaceRecordIsServedWhenItsEndpointConfirmsIt) {
  must(dataplane().pod_ifaces().erase(pod_a().ifindex));
  const Frame right = frame_at(kFromPod, {});

  EXPECT_THAT(run(kFromPod, right), Redirected(KUBECNI_FAST_TO_NODE, one_hop_older(right)));
  EXPECT_THAT(send({.src = kPodB}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodSender, PodWhoseAddressBelongsToAnotherInterfaceNowIsUnknown) {
  must(dataplane().add_endpoint({.host = pod_b(),
                                 .addresses = {IpAddr::parse(kPodA).value()},
                                 .pod_mac = MacAddr::parse(kPodAMac).value()}));

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_F(FromPodSender, EachAddressOfAPodWithTwoIsItsOwn) {
  must(dataplane().add_endpoint(
      {.host = pod_a(),
       .addresses = {IpAddr::parse(kPodA).value(), IpAddr::parse("192.0.2.11").value()},
       .pod_mac = MacAddr::parse(kPodAMac).value(),
       .gateway_mac = MacAddr::parse(kGatewayMac).value()}));

  for (const char* own : {kPodA, "192.0.2.11"}) {
    EXPECT_EQ(send({.src = own}).verdict, TC_ACT_REDIRECT) << own;
    EXPECT_THAT(
        run(kFromPod, arp_packet({.src_mac = kPodAMac, .sender_mac = kPodAMac, .sender_ip = own})),
        LeftToKernel(KUBECNI_PASS_ARP))
        << own;
  }
}

TEST_F(FromPodSender, HeaderThatIsNoIpv4IsLeftToTheKernel) {
  constexpr std::size_t kVersionAt = 14;
  for (const auto version_and_length :
       std::initializer_list<std::uint8_t>{0x44, 0x40, 0x65, 0x05}) {
    Frame broken = frame_at(kFromPod, {});
    broken[kVersionAt] = version_and_length;

    EXPECT_THAT(run(kFromPod, broken), LeftToKernel(KUBECNI_PASS_NOT_IPV4));
  }
}

}  // namespace
}  // namespace kubecni::test
