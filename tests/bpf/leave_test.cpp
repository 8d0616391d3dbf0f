// to_wire and to_tunnel only watch what leaves the node: they remove the fast path's mark, and note
// flows between pods that came by the kernel.
#include "fixture.hpp"

#include <linux/if_ether.h>

#include <tuple>

namespace kubecni::test {
namespace {

struct Exit {
  Program hook;
  kubecni_exit_reason fast, between_pods, other;
};
const Exit kWireExit{kToWire, KUBECNI_FAST_SENT_TO_WIRE, KUBECNI_KERNEL_TO_WIRE,
                     KUBECNI_KERNEL_TO_WIRE_OTHER};
const Exit kTunnelExit{kToTunnel, KUBECNI_FAST_SENT_TO_TUNNEL, KUBECNI_KERNEL_TO_TUNNEL,
                       KUBECNI_KERNEL_TO_TUNNEL_OTHER};
void PrintTo(const Exit& exit, std::ostream* out) { *out << exit.hook.name; }

class Leave : public BpfTest, public testing::WithParamInterface<std::tuple<Exit, Family>> {
 protected:
  static const Exit& exit() { return std::get<Exit>(GetParam()); }
  static const Family& family() { return std::get<Family>(GetParam()); }
  Passage send(IpPacket packet, Metadata metadata = {}) {
    packet.family = family().af;
    return run(exit().hook, frame_at(exit().hook, packet), metadata);
  }
};

TEST_P(Leave, MarkOfTheFastPathIsClearedAndOtherBitsStay) {
  const auto sent = send({}, {.mark = 0xabcd | KUBECNI_MARK_FAST});

  EXPECT_THAT(sent, LeftToKernel(exit().fast));
  EXPECT_EQ(sent.mark, 0xabcdu);
}

TEST_P(Leave, OtherMarksStay) {
  const std::uint32_t others = ~std::uint32_t{KUBECNI_MARK_FAST | KUBECNI_MARK_JUDGED};
  const auto sent = send({}, {.mark = others});

  EXPECT_THAT(sent, LeftToKernel(exit().between_pods));
  EXPECT_EQ(sent.mark, others);
}

TEST_P(Leave, MarkOfTheJudgedIsClearedAndOtherBitsStay) {
  const auto sent = send({}, {.mark = 0xabcd | KUBECNI_MARK_JUDGED});

  EXPECT_THAT(sent, LeftToKernel(exit().between_pods));
  EXPECT_EQ(sent.mark, 0xabcdu);
}

TEST_P(Leave, FlowOfTheFastPathIsNotNoted) {
  send({.protocol = IPPROTO_ICMP}, {.mark = KUBECNI_MARK_FAST});

  EXPECT_TRUE(flows().empty());
}

TEST_P(Leave, FlowBetweenPodsIsNoted) {
  for (const char* dst : {family().remote_pod, family().tunnel_pod}) {
    reset_the_maps();
    for (const auto protocol : kProtocols)
      EXPECT_THAT(send({.src = family().pod_a, .dst = dst, .protocol = protocol}),
                  LeftToKernel(exit().between_pods));

    EXPECT_EQ(flows().size(), 2u) << "of echo and SCTP: conntrack answers about the others";
  }
}

TEST_P(Leave, FlowThatIsForwardedBetweenOtherNodesIsNoted) {
  EXPECT_THAT(
      send(
          {.src = family().remote_pod, .dst = family().other_remote_pod, .protocol = IPPROTO_ICMP}),
      LeftToKernel(exit().between_pods));

  EXPECT_EQ(flows().size(), 1u);
}

TEST_P(Leave, WhatIsNotBetweenPodsIsCountedApartAndNotNoted) {
  for (const char* dst : {family().outside, family().remote_node, family().pod_b})
    EXPECT_THAT(send({.dst = dst, .protocol = IPPROTO_ICMP}), LeftToKernel(exit().other)) << dst;
  for (const char* src : {family().outside, family().remote_node, family().no_pod})
    EXPECT_THAT(send({.src = src, .protocol = IPPROTO_ICMP}), LeftToKernel(exit().other)) << src;

  EXPECT_TRUE(flows().empty());
}

TEST_P(Leave, WhatNeverIsRedirectedIsNotNoted) {
  EXPECT_THAT(send({.protocol = IPPROTO_GRE}), LeftToKernel(exit().between_pods));
  EXPECT_THAT(send({.protocol = IPPROTO_ICMP, .icmp_type = family().icmp_error}),
              LeftToKernel(exit().between_pods));
  EXPECT_THAT(send({.extension_headers = {IPPROTO_FRAGMENT}, .fragment_offset = 8}),
              LeftToKernel(exit().between_pods));
  EXPECT_THAT(send({.option_bytes = 4, .extension_headers = {IPPROTO_DSTOPTS}}),
              LeftToKernel(exit().between_pods));

  EXPECT_TRUE(flows().empty());
}

TEST_P(Leave, OtherEthertypesAndBrokenHeadersPass) {
  Frame broken = frame_at(exit().hook, {.family = family().af});
  broken[ETH_HLEN] = 0x75;

  EXPECT_THAT(run(exit().hook, broken), LeftToKernel(exit().other));
  for (const auto ethertype : std::initializer_list<std::uint16_t>{ETH_P_ARP, ETH_P_LLDP})
    EXPECT_THAT(run(exit().hook, ethernet_frame(kRemoteNodeMac, kNicMac, ethertype, 60)),
                LeftToKernel(exit().other));
}

std::string name_of(const testing::TestParamInfo<std::tuple<Exit, Family>>& info) {
  return std::string(std::get<Exit>(info.param).hook.name) + "_" +
         std::get<Family>(info.param).name;
}
INSTANTIATE_TEST_SUITE_P(, Leave,
                         testing::Combine(testing::Values(kWireExit, kTunnelExit),
                                          testing::Values(kIpv4, kIpv6)),
                         name_of);

}  // namespace
}  // namespace kubecni::test
