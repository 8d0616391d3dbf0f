// from_pod accepts only a pod's own source addresses, but does not drop what the maps do not know.
#include "fixture.hpp"

#include <linux/pkt_cls.h>

#include <algorithm>

namespace kubecni::test {
namespace {

class FromPodSender : public BothFamilies {
 protected:
  Passage send(const IpPacket& packet) { return run(kFromPod, frame_at(kFromPod, packet)); }
};

TEST_P(FromPodSender, AddressThatIsNotThePodsIsDropped) {
  for (const char* src : {family().pod_b, family().remote_pod, family().outside, family().no_pod})
    EXPECT_THAT(send({.src = src}), Dropped(KUBECNI_DROP_SPOOFED_IP)) << src;
}

TEST_P(FromPodSender, AddressAndMacOfAnotherPodAreDropped) {
  EXPECT_THAT(send({.src_mac = kPodBMac, .src = family().pod_b}), Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(FromPodSender, MacThatIsNotThePodsIsDropped) {
  for (const char* src_mac : {kPodBMac, kForeignMac, kGatewayMac})
    EXPECT_THAT(send({.src_mac = src_mac}), Dropped(KUBECNI_DROP_SPOOFED_MAC)) << src_mac;
}

TEST_P(FromPodSender, EachByteOfTheMacIsCompared) {
  const Frame right = frame_at(kFromPod, {});
  for (std::size_t at = 6; at < 12; ++at) {
    Frame wrong = right;
    wrong[at] ^= 0x80;

    EXPECT_THAT(run(kFromPod, wrong), Dropped(KUBECNI_DROP_SPOOFED_MAC)) << "byte " << at;
  }
}

TEST_P(FromPodSender, SpoofedPacketIsDroppedWhereverItGoes) {
  EXPECT_THAT(send({.dst_mac = "01:00:5e:00:00:01", .src = family().pod_b}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
  EXPECT_THAT(send({.src = family().pod_b,
                    .dst = family().outside,
                    .extension_headers = {IPPROTO_FRAGMENT},
                    .more_fragments = true}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(FromPodSender, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = family().pod_b}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src_mac = kForeignMac}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, EmptiedNodeMapDropsNothing) {
  remove_node(family().own_cidr);
  remove_node(family().remote_cidr);

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_NO_NODE));
}

TEST_P(FromPodSender, PodWithoutEndpointIsUnknownWhateverItSays) {
  remove_endpoint(family().pod_a);

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = family().pod_b}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, PodWithoutInterfaceRecordIsUnknownWhateverItSays) {
  must(dataplane().pods.endpoints.pod_ifaces().erase(pod_a().ifindex));

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = family().pod_b}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, PodWhoseAddressBelongsToAnotherInterfaceNowIsUnknown) {
  must(dataplane().pods.endpoints.add({.host = pod_b(),
                                       .network = kNetwork,
                                       .addresses = {IpAddr::parse(family().pod_a).value()},
                                       .pod_mac = MacAddr::parse(kPodAMac).value()}));

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, EachAddressOfAPodWithTwoIsItsOwn) {
  const IpAddr first = IpAddr::parse(family().pod_a).value();
  const IpAddr second = first.plus(1);
  must(dataplane().pods.endpoints.add({.host = pod_a(),
                                       .network = kNetwork,
                                       .addresses = {first, second},
                                       .pod_mac = MacAddr::parse(kPodAMac).value(),
                                       .gateway_mac = MacAddr::parse(kGatewayMac).value()}));

  for (const IpAddr& own : {first, second})
    EXPECT_EQ(send({.src = own.str()}).verdict, TC_ACT_REDIRECT) << own.str();
  must(dataplane().pods.endpoints.endpoints().erase({kNetwork, second}));
}

TEST_P(FromPodSender, SecondAddressNeedsThePodsMacToo) {
  const IpAddr first = IpAddr::parse(family().pod_a).value();
  const IpAddr second = first.plus(1);
  add_address(family().pod_a, second);

  EXPECT_THAT(send({.src_mac = kForeignMac, .src = second.str()}),
              Dropped(KUBECNI_DROP_SPOOFED_MAC));
}

// Then no MAC says anything about the sender.
TEST_P(FromPodSender, PodIsUnknownIfTheMapsDisagreeOnItsMac) {
  const IpAddr own = IpAddr::parse(family().pod_a).value();
  auto endpoint = must(dataplane().pods.endpoints.endpoints().find({kNetwork, own})).value();
  std::ranges::copy(MacAddr::parse(kPodBMac).value().bytes, endpoint.pod_mac);
  must(dataplane().pods.endpoints.endpoints().set({kNetwork, own}, endpoint));

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src_mac = kForeignMac}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, MissingSourceIsSpoofedExceptInDhcpAndGroupReports) {
  for (const auto protocol : kProtocols)
    EXPECT_THAT(send({.src = family().none, .protocol = protocol}),
                Dropped(KUBECNI_DROP_SPOOFED_IP));
  EXPECT_THAT(send({.src = family().none, .protocol = IPPROTO_SCTP}),
              Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(FromPodSender, EmptiedMapsOfOneFamilyDropNothingOfIt) {
  remove_endpoint(family().pod_a);

  EXPECT_THAT(send({}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
  EXPECT_THAT(send({.src = family().outside}), LeftToKernel(KUBECNI_PASS_UNKNOWN_SENDER));
}

TEST_P(FromPodSender, PodWithoutAddressOfTheFamilyHasNoneToSendFrom) {
  const Family& other = family_of(family().af == AF_INET ? AF_INET6 : AF_INET);
  remove_endpoint(family().pod_a);
  must(dataplane().pods.endpoints.add({.host = pod_a(),
                                       .network = kNetwork,
                                       .addresses = {IpAddr::parse(other.pod_a).value()},
                                       .pod_mac = MacAddr::parse(kPodAMac).value()}));

  EXPECT_THAT(send({}), Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(FromPodSender, HeaderOfAnotherVersionIsLeftToTheKernel) {
  constexpr std::size_t kVersionAt = 14;
  for (const auto version_and_length :
       std::initializer_list<std::uint8_t>{0x44, 0x40, 0x75, 0x05}) {
    Frame broken = frame_at(kFromPod, {});
    broken[kVersionAt] = version_and_length;

    EXPECT_THAT(run(kFromPod, broken), LeftToKernel(KUBECNI_PASS_NOT_IP));
    EXPECT_THAT(run(kFromPod, with_macs(broken, kGatewayMac, kPodBMac)),
                Dropped(KUBECNI_DROP_SPOOFED_MAC));
  }
}

KUBECNI_FOR_BOTH_FAMILIES(FromPodSender);

}  // namespace
}  // namespace kubecni::test
