// What a policed pod sends and gets by the kernel path is dropped at the exits, unless the
// policies' table has marked it or the node itself has made it.
#include "fixture.hpp"

namespace kubecni::test {
namespace {

constexpr __u32 kPoliced = KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_POLICED;
constexpr unsigned kSomeDevice = 99;

class Judged : public BothFamilies {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    for (const char* address : {kIpv4.pod_a, kIpv6.pod_a}) set_flags(address, kPoliced);
    must(dataplane().node_config.set_needs_judged_mark(true));
  }
  static constexpr Metadata kForwarded{.from_ifindex = kSomeDevice};
  static constexpr Metadata kMarked{.mark = KUBECNI_MARK_JUDGED | 0xabc,
                                    .from_ifindex = kSomeDevice};
  static constexpr Metadata kFromPoliced{.from_ifindex = kSomeDevice,
                                         .tc_index = KUBECNI_TC_INDEX_POLICED};
  static constexpr Metadata kFromPolicedMarked{.mark = KUBECNI_MARK_JUDGED,
                                               .from_ifindex = kSomeDevice,
                                               .tc_index = KUBECNI_TC_INDEX_POLICED};

  Passage deliver(const Metadata& metadata, const IpPacket& packet = {}) {
    return run(kToPod, frame_at(kToPod, packet), metadata);
  }
  Passage deliver_to_b(const Metadata& metadata) {
    return run(kToPod, pod_b(), frame_at(kToPod, {.dst_mac = kPodBMac, .dst = family().pod_b}),
               metadata);
  }
};
KUBECNI_FOR_BOTH_FAMILIES(Judged);

TEST_P(Judged, PolicedPodGetsOnlyWhatTheTableLetPass) {
  EXPECT_THAT(deliver(kForwarded), Dropped(KUBECNI_DROP_NOT_JUDGED));
  EXPECT_THAT(deliver({.mark = ~std::uint32_t{KUBECNI_MARK_JUDGED}, .from_ifindex = kSomeDevice}),
              Dropped(KUBECNI_DROP_NOT_JUDGED))
      << "other bits are no sign";
  EXPECT_THAT(deliver(kMarked), LeftToKernel(KUBECNI_KERNEL_TO_POD));
}

TEST_P(Judged, WhatHoldsForThePodHoldsWhateverTheDestinationIs) {
  for (const char* mac : {"01:00:5e:00:00:fb", "33:33:00:00:00:fb", "ff:ff:ff:ff:ff:ff"}) {
    EXPECT_THAT(deliver(kForwarded, {.dst_mac = mac}), Dropped(KUBECNI_DROP_NOT_JUDGED));
    EXPECT_THAT(deliver(kMarked, {.dst_mac = mac}), LeftToKernel(KUBECNI_PASS_MULTICAST));
  }
  EXPECT_THAT(deliver(kForwarded, {.dst = family().outside}), Dropped(KUBECNI_DROP_NOT_JUDGED));
}

TEST_P(Judged, NodeReachesItsPods) {
  EXPECT_THAT(deliver({}), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver({}, {.dst_mac = "ff:ff:ff:ff:ff:ff"}), LeftToKernel(KUBECNI_PASS_MULTICAST));
}

TEST_P(Judged, OtherPodsGetEverythingButWhatAPolicedOneSends) {
  EXPECT_THAT(deliver_to_b(kForwarded), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver_to_b(kFromPoliced), Dropped(KUBECNI_DROP_NOT_JUDGED));
  EXPECT_THAT(deliver_to_b(kFromPolicedMarked), LeftToKernel(KUBECNI_KERNEL_TO_POD));
}

TEST_P(Judged, WhatAPolicedPodSendsLeavesTheNodeOnlyIfTheTableLetItPass) {
  for (const Program& hook : {kToWire, kToTunnel}) {
    SCOPED_TRACE(hook.name);
    for (const char* dst : {family().remote_pod, family().outside}) {
      const Frame frame = frame_at(hook, {.src = family().outside, .dst = dst});
      EXPECT_THAT(run(hook, frame, kFromPoliced), Dropped(KUBECNI_DROP_NOT_JUDGED)) << dst;
      const auto sent = run(hook, frame, kFromPolicedMarked);
      EXPECT_EQ(sent.verdict, KUBECNI_VERDICT_PASS);
      EXPECT_EQ(sent.mark, 0u) << "nobody else gets to see the bit";
      EXPECT_EQ(run(hook, frame, kForwarded).verdict, KUBECNI_VERDICT_PASS);
    }
  }
}

TEST_P(Judged, WhatTheFastPathSendsNeedsNoMark) {
  EXPECT_THAT(run(kToWire, frame_at(kToWire, {}),
                  {.mark = KUBECNI_MARK_FAST,
                   .from_ifindex = kSomeDevice,
                   .tc_index = KUBECNI_TC_INDEX_POLICED}),
              LeftToKernel(KUBECNI_FAST_SENT_TO_WIRE));
}

// A pod can forge the index, and rules of the node the mark.
TEST_P(Judged, WhatTheFastPathSendsToALimitNeedsBothSigns) {
  const Metadata sent{.mark = KUBECNI_MARK_FAST | 0x1234,
                      .from_ifindex = kSomeDevice,
                      .tc_index = KUBECNI_TC_INDEX_FAST};
  const Passage passage = deliver(sent);
  EXPECT_THAT(passage, LeftToKernel(KUBECNI_FAST_SENT_TO_POD));
  EXPECT_EQ(passage.mark, 0u);

  Metadata no_mark = sent, no_index = sent;
  no_mark.mark = 0;
  no_index.tc_index = 0;
  for (const Metadata& forged : {no_mark, no_index})
    EXPECT_THAT(deliver(forged), Dropped(KUBECNI_DROP_NOT_JUDGED));
}

TEST_P(Judged, WhatIsDroppedIsNoSignThatNetfilterLetItPass) {
  deliver(kForwarded, {.protocol = IPPROTO_ICMP});
  run(kToWire, frame_at(kToWire, {.protocol = IPPROTO_ICMP}), kFromPoliced);

  EXPECT_TRUE(flows().empty());
}

// As an older version's table: it sets no mark.
TEST_P(Judged, WithoutTheDaemonsWordNothingIsDropped) {
  must(dataplane().node_config.set_needs_judged_mark(false));

  EXPECT_THAT(deliver(kForwarded), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_THAT(deliver_to_b(kFromPoliced), LeftToKernel(KUBECNI_KERNEL_TO_POD));
  EXPECT_EQ(run(kToWire, frame_at(kToWire, {}), kFromPoliced).verdict, KUBECNI_VERDICT_PASS);
}

TEST_P(Judged, EmptiedMapsDropNothing) {
  empty_the_maps();

  EXPECT_THAT(deliver(kForwarded), LeftToKernel(KUBECNI_KERNEL_TO_POD));
}

/// What one family has.
class JudgedHeaders : public Judged {};
INSTANTIATE_TEST_SUITE_P(, JudgedHeaders, testing::Values(kIpv6), name_of_family);

TEST_P(JudgedHeaders, NeighbourDiscoveryIsNotJudged) {
  EXPECT_THAT(deliver(kForwarded, {.protocol = IPPROTO_ICMP, .icmp_type = 135}),
              LeftToKernel(KUBECNI_PASS_NEIGHBOUR_DISCOVERY));
}

TEST_P(JudgedHeaders, FragmentsAndBrokenHeadersAreDropped) {
  EXPECT_THAT(deliver(kForwarded, {.extension_headers = {IPPROTO_FRAGMENT}, .fragment_offset = 8}),
              Dropped(KUBECNI_DROP_NOT_JUDGED));
  Frame broken = frame_at(kToPod, {});
  broken[14] = 0x75;
  EXPECT_THAT(run(kToPod, broken, kForwarded), Dropped(KUBECNI_DROP_NOT_JUDGED));
}

TEST_P(JudgedHeaders, OtherProtocolsThanIpPass) {
  EXPECT_THAT(run(kToPod, ethernet_frame(kPodAMac, kGatewayMac, 0x88cc, 60), kForwarded),
              LeftToKernel(KUBECNI_PASS_NOT_IP));
}

}  // namespace
}  // namespace kubecni::test
