// The flow cache: whose a flow is according to the kernel's conntrack, and how long that holds.
// translation_test.cpp has the flows that netfilter translates.
#include "flows.hpp"

#include <functional>
#include <utility>

namespace kubecni::test {
namespace {

using FlowOwner = FlowTest;

TEST_P(FlowOwner, UnknownToConntrackIsEbpf) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE);
    EXPECT_THAT(owners(), testing::ElementsAre(KUBECNI_FLOW_EBPF, KUBECNI_FLOW_EBPF));
  }
}

TEST_P(FlowOwner, KnownPacketNeedsNoOtherMapThanTheAnswer) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    const Passage first = client_sends(protocol);
    const auto answers = flows();

    empty_the_maps();  // counts the generation up
    for (auto [flow, state] : answers) {
      state.generation = generation();
      set_flow(flow, state);
    }

    EXPECT_THAT(client_sends(protocol), Redirected(KUBECNI_FAST_TO_NODE, first.out));
  }
}

TEST_P(FlowOwner, PlainFlowMovesFromTheKernelToEbpfWithTheNextPacket) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    add_connection(plain(protocol));

    kernel_sends(protocol);
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE);
  }
}

TEST_P(FlowOwner, KernelKeepsAHandshakeUntilItsAnswer) {
  Connection handshake = plain(IPPROTO_TCP);
  handshake.is_answered = false;
  add_connection(handshake);

  kernel_sends(IPPROTO_TCP);
  EXPECT_THAT(server_answers(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));

  forget_connections();
  add_connection(plain(IPPROTO_TCP));
  age_flows(2 * kSecond);
  EXPECT_EQ(server_answers(IPPROTO_TCP).reason, KUBECNI_FAST_FROM_WIRE);
}

TEST_P(FlowOwner, EbpfHasUnansweredUdp) {
  Connection one_way = plain(IPPROTO_UDP);
  one_way.is_answered = false;
  add_connection(one_way);

  kernel_sends(IPPROTO_UDP);
  EXPECT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(FlowOwner, IsAskedAgainAfterASecond) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    add_connection(to_service(protocol));
    age_flows(kSecond / 2);
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);

    age_flows(2 * kSecond);
    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));

    forget_connections();
    age_flows(kSecond / 2);
    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    age_flows(2 * kSecond);
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
}

TEST_P(FlowOwner, IsAskedAgainAfterAChangeOfEachMap) {
  const auto change = [&](const std::function<void()>& write) {
    reset_the_maps();
    EXPECT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
    const unsigned before = generation();
    write();
    EXPECT_NE(generation(), before);
    return client_sends(IPPROTO_UDP).reason;
  };
  EXPECT_EQ(change([&] { set_flags(family().pod_a, 0); }), KUBECNI_PASS_NOT_READY);
  EXPECT_EQ(change([&] { remove_node(family().remote_cidr); }), KUBECNI_PASS_NO_NODE);
  EXPECT_EQ(change([&] { must(dataplane().node_config.set_cluster_network(kNetwork + 1)); }),
            KUBECNI_PASS_OTHER_NETWORK);
  EXPECT_EQ(change([&] { must(dataplane().pods.endpoints.pod_ifaces().erase(pod_a().ifindex)); }),
            KUBECNI_PASS_UNKNOWN_SENDER);
}

TEST_P(FlowOwner, PodThatTakesOverAnAddressGetsItsPacketsAtOnce) {
  const Frame in = frame_at(kFromWire, {.dst = family().pod_b});
  ASSERT_EQ(run(kFromWire, in).reason, KUBECNI_FAST_FROM_WIRE);
  must(dataplane().pods.endpoints.remove(pod_b().ifindex, {addr(family().pod_b)}));
  EXPECT_EQ(run(kFromWire, in).reason, KUBECNI_PASS_NO_ENDPOINT);

  must(dataplane().pods.endpoints.add({.host = pod_b(),
                                       .network = kNetwork,
                                       .addresses = {addr(family().pod_b)},
                                       .pod_mac = mac(kForeignMac),
                                       .gateway_mac = mac(kGatewayMac)}));
  EXPECT_THAT(
      run(kFromWire, in),
      Redirected(KUBECNI_FAST_FROM_WIRE, with_macs(one_hop_older(in), kForeignMac, kGatewayMac)));
}

TEST_P(FlowOwner, SenderThatBeginsToLieIsDropped) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);

    IpPacket other_mac = request(protocol);
    other_mac.src_mac = kForeignMac;
    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, other_mac)), Dropped(KUBECNI_DROP_SPOOFED_MAC));
    IpPacket other_pod = request(protocol);
    other_pod.src_mac = kPodBMac;
    EXPECT_THAT(run(kFromPod, pod_b(), frame_at(kFromPod, other_pod)),
                Dropped(KUBECNI_DROP_SPOOFED_IP));
    IpPacket other_way = request(protocol);
    other_way.dst_mac = kForeignMac;
    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, other_way)), LeftToKernel(KUBECNI_PASS_OTHER_MAC));
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
}

TEST_P(FlowOwner, AnswerOfAnotherFlowIsNotUsed) {
  // As if the kernel had given the entry to another flow between lookup and reading.
  ASSERT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
  auto [flow, state] = *flows().begin();
  state.owner = KUBECNI_FLOW_KERNEL;
  state.flow.v6.src_port[1] ^= 1;
  state.flow.v4.src_port[1] ^= 1;
  set_flow(flow, state);

  EXPECT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(FlowOwner, ErrorHasTheOwnerOfItsFlow) {
  const auto refuse = [&](const Program& hook) {
    return run(hook, frame_at(hook, {.protocol = IPPROTO_ICMP,
                                     .src_port = 8080,
                                     .dst_port = 7000,
                                     .icmp_type = family().icmp_error}));
  };
  EXPECT_EQ(refuse(kFromWire).reason, KUBECNI_FAST_FROM_WIRE);
  EXPECT_EQ(flows().size(), 0u) << "the error's checks are not the flow's";

  add_connection(to_service(IPPROTO_UDP));
  EXPECT_THAT(refuse(kFromWire), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

KUBECNI_FOR_BOTH_FAMILIES(FlowOwner);

/// Flows that conntrack cannot be asked about.
class EchoOwner : public FlowTest {
 protected:
  Passage echo(const Program& hook, std::uint8_t type, std::uint16_t identifier = 5) {
    return run(
        hook,
        frame_at(hook, {.protocol = IPPROTO_ICMP, .src_port = identifier, .icmp_type = type}));
  }
};

TEST_P(EchoOwner, IsEbpfUntilTheKernelCarriesIt) {
  EXPECT_EQ(echo(kFromPod, family().echo_request).reason, KUBECNI_FAST_TO_NODE);

  echo(kToPod, family().echo_request);

  EXPECT_THAT(echo(kFromPod, family().echo_reply), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  EXPECT_EQ(echo(kFromPod, family().echo_reply, 6).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(EchoOwner, IsTheKernelForHalfAMinuteAfterItsLastPacketThere) {
  for (const auto& [kernel, ebpf] : {std::pair{kToPod, kFromPod}, std::pair{kToWire, kFromWire}}) {
    reset_the_maps();
    echo(kernel, family().echo_request);
    age_flows(29 * kSecond);
    EXPECT_THAT(echo(ebpf, family().echo_reply), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    age_flows(31 * kSecond);
    EXPECT_EQ(echo(ebpf, family().echo_reply).verdict, TC_ACT_REDIRECT);

    echo(kernel, family().echo_request);
    EXPECT_THAT(echo(ebpf, family().echo_reply), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_P(EchoOwner, IsNotedAgainAtMostOnceASecond) {
  echo(kToPod, family().echo_request);
  const auto decided = [] { return flows().begin()->second.decided_ns; };
  const auto first = decided();
  echo(kToPod, family().echo_request);
  EXPECT_EQ(decided(), first);

  age_flows(2 * kSecond);
  const auto aged = decided();
  echo(kToPod, family().echo_request);
  EXPECT_GT(decided(), aged);
}

KUBECNI_FOR_BOTH_FAMILIES(EchoOwner);

}  // namespace
}  // namespace kubecni::test
