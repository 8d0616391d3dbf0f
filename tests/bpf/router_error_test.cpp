// ICMP errors of routers and other nodes: eBPF delivers those about what it has carried, since
// conntrack would call them INVALID.
#include "dataplane/map_generation.hpp"
#include "dataplane/pins.hpp"
#include "flows.hpp"

namespace kubecni::test {
namespace {

constexpr std::uint8_t kCarried[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP};

class RouterError : public FlowTest {
 protected:
  /// A router that no map knows says that `packet` did not arrive.
  static IpPacket about(const IpPacket& packet, std::size_t bytes = 512) {
    IpPacket quoted = packet;
    quoted.family = family().af;
    return {.src = family().outside,
            .dst = family().pod_a,
            .protocol = IPPROTO_ICMP,
            .icmp_type = family().icmp_error,
            .icmp_body = error_about(quoted, bytes)};
  }
  Passage arrives(const IpPacket& packet) { return run(kFromWire, frame_at(kFromWire, packet)); }
  Passage arrives_about(const IpPacket& packet) { return arrives(about(packet)); }
  void send(std::uint8_t protocol) {
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
};

TEST_P(RouterError, AboutWhatEbpfHasCarriedIsDelivered) {
  for (const auto protocol : kCarried) {
    reset_the_maps();
    send(protocol);
    const auto known = flows();
    for (const char* router : {family().outside, family().remote_node, family().other_remote_pod}) {
      IpPacket error = about(request(protocol));
      error.src = router;
      const Frame in = frame_at(kFromWire, error);

      EXPECT_THAT(
          run(kFromWire, in),
          Redirected(KUBECNI_FAST_FROM_WIRE, with_macs(one_hop_older(in), kPodAMac, kGatewayMac)))
          << router;
    }
    EXPECT_EQ(flows().size(), known.size());
  }
}

TEST_P(RouterError, AboutNoKnownFlowIsLeftToTheKernel) {
  EXPECT_THAT(arrives_about(request(IPPROTO_UDP)), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
  send(IPPROTO_UDP);

  IpPacket other_port = request(IPPROTO_UDP);
  other_port.dst_port += 1;
  IpPacket other_receiver = request(IPPROTO_UDP);
  other_receiver.dst = family().other_remote_pod;
  IpPacket other_sender = request(IPPROTO_UDP);
  other_sender.src = family().pod_b;
  for (const IpPacket& packet :
       {other_port, other_receiver, other_sender, request(IPPROTO_TCP), answer(IPPROTO_UDP)})
    EXPECT_THAT(arrives_about(packet), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_P(RouterError, ThatQuotesTooLittleIsLeftToTheKernel) {
  send(IPPROTO_UDP);

  EXPECT_THAT(arrives(about(request(IPPROTO_UDP), family().ip_header + 3)),
              LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
  EXPECT_EQ(arrives(about(request(IPPROTO_UDP), family().ip_header + 8)).reason,
            KUBECNI_FAST_FROM_WIRE);
}

TEST_P(RouterError, OfAnAddressOfThisNodesPodsIsLeftToTheKernel) {
  send(IPPROTO_UDP);
  IpPacket error = about(request(IPPROTO_UDP));
  for (const char* src : {family().pod_b, family().no_pod}) {
    error.src = src;
    EXPECT_THAT(arrives(error), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD)) << src;
  }
}

TEST_P(RouterError, OtherMessagesOfRoutersAreLeftToTheKernel) {
  send(IPPROTO_ICMP);

  EXPECT_THAT(arrives({.src = family().outside,
                       .protocol = IPPROTO_ICMP,
                       .src_port = 7000,
                       .icmp_type = family().echo_reply}),
              LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_P(RouterError, AboutAFlowThatIsLongSilentOrDecidedByFormerMapsIsLeftToTheKernel) {
  send(IPPROTO_UDP);
  age_flows(3 * kSecond);
  EXPECT_EQ(arrives_about(request(IPPROTO_UDP)).reason, KUBECNI_FAST_FROM_WIRE);
  age_flows(5 * kSecond);
  EXPECT_THAT(arrives_about(request(IPPROTO_UDP)), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));

  send(IPPROTO_UDP);
  must(MapGeneration::open(PinPaths(bpffs()).maps)).raise();
  EXPECT_THAT(arrives_about(request(IPPROTO_UDP)), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_P(RouterError, AboutATranslatedFlowIsNetfilters) {
  add_connection(to_service(IPPROTO_UDP));
  IpPacket call = request(IPPROTO_UDP);
  call.dst = family().outside;
  call.dst_port = 80;
  ASSERT_EQ(run(kFromPod, frame_at(kFromPod, call)).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);

  EXPECT_THAT(arrives_about(request(IPPROTO_UDP)), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
  IpPacket error = about(call);
  error.src = family().remote_node;
  EXPECT_THAT(arrives(error), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));
}

TEST_P(RouterError, ToAPolicedPodIsDeliveredIfNetfilterHasLetTheFlowPass) {
  set_flags(family().pod_a, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_POLICED);
  add_connection(plain(IPPROTO_UDP));
  ASSERT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_PASS_POLICED);
  EXPECT_THAT(arrives_about(request(IPPROTO_UDP)), LeftToKernel(KUBECNI_PASS_NOT_FROM_POD));

  kernel_sends(IPPROTO_UDP);
  send(IPPROTO_UDP);
  EXPECT_EQ(arrives_about(request(IPPROTO_UDP)).reason, KUBECNI_FAST_FROM_WIRE);
}

KUBECNI_FOR_BOTH_FAMILIES(RouterError);

}  // namespace
}  // namespace kubecni::test
