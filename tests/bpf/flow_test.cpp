// Who carries a flow: the kernel carries both directions of a flow that netfilter translates. The
// kernel's conntrack knows it, and the maps remember it.
#include "conntrack.hpp"

#include <linux/pkt_cls.h>

#include <algorithm>
#include <ctime>

namespace kubecni::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

/// The client is pod A, the server a pod of another node on port 8080.
class FlowOwner : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    if (IsSkipped()) return;
    if (!must(dataplane().programs.asks_conntrack()))
      GTEST_SKIP() << "the kernel's conntrack cannot be asked";
    forget_connections();
  }

  Passage client_sends(std::uint8_t protocol) {
    return run(kFromPod, frame_at(kFromPod, request(protocol)));
  }
  Passage server_answers(std::uint8_t protocol) {
    return run(kFromWire, frame_at(kFromWire, {.src = family().remote_pod,
                                               .dst = family().pod_a,
                                               .protocol = protocol,
                                               .src_port = 8080,
                                               .dst_port = 7000}));
  }
  Passage kernel_sends(std::uint8_t protocol) {
    return run(kToWire, frame_at(kToWire, request(protocol)));
  }
  static IpPacket request(std::uint8_t protocol) {
    return {.src = family().pod_a,
            .dst = family().remote_pod,
            .protocol = protocol,
            .src_port = 7000,
            .dst_port = 8080};
  }
  /// With the client's address for the server.
  static Connection plain(std::uint8_t protocol) {
    return {.family = family(),
            .protocol = protocol,
            .src = family().pod_a,
            .dst = family().remote_pod,
            .dst_port = 8080};
  }
  /// With the service's address that the client called.
  static Connection to_service(std::uint8_t protocol) {
    return {.family = family(),
            .protocol = protocol,
            .src = family().pod_a,
            .dst = family().outside,
            .translated_dst = family().remote_pod};
  }
  static std::uint32_t only_owner() {
    EXPECT_EQ(flows().size(), 1u);
    return flows().begin()->second.owner;
  }
  static void age_flow(std::uint64_t ns) {
    auto [flow, state] = *flows().begin();
    state.decided_ns = now_ns() - ns;
    set_flow(flow, state);
  }
};

constexpr std::uint8_t kAskable[] = {IPPROTO_TCP, IPPROTO_UDP};

TEST_P(FlowOwner, UnknownToConntrackIsEbpf) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE);
    EXPECT_EQ(only_owner(), KUBECNI_FLOW_EBPF);
  }
}

TEST_P(FlowOwner, KernelHasATranslatedDestinationInBothDirections) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    add_connection(to_service(protocol));

    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    EXPECT_EQ(only_owner(), KUBECNI_FLOW_KERNEL);
    reset_the_maps();
    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    EXPECT_EQ(only_owner(), KUBECNI_FLOW_KERNEL);
  }
}

TEST_P(FlowOwner, KernelHasATranslatedSource) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    Connection masqueraded = plain(protocol);
    masqueraded.src = family().outside;
    masqueraded.translated_src = family().pod_a;
    add_connection(masqueraded);

    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_P(FlowOwner, KernelHasATranslatedFlowBeforeItsAnswer) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    Connection first = to_service(protocol);
    first.is_answered = false;
    add_connection(first);

    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_P(FlowOwner, PlainFlowMovesFromTheKernelToEbpfWithTheNextPacket) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    add_connection(plain(protocol));

    kernel_sends(protocol);
    EXPECT_EQ(only_owner(), KUBECNI_FLOW_EBPF);
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
  age_flow(6 * kSecond);
  EXPECT_EQ(server_answers(IPPROTO_TCP).reason, KUBECNI_FAST_FROM_WIRE);
}

TEST_P(FlowOwner, EbpfHasUnansweredUdp) {
  Connection one_way = plain(IPPROTO_UDP);
  one_way.is_answered = false;
  add_connection(one_way);

  kernel_sends(IPPROTO_UDP);
  EXPECT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(FlowOwner, ChangesAtOnceWhenTheKernelIsSeenToTranslate) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    add_connection(to_service(protocol));
    ASSERT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE) << "not asked again yet";

    kernel_sends(protocol);

    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_P(FlowOwner, IsAskedAgainAfterFiveSeconds) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
    add_connection(to_service(protocol));
    age_flow(4 * kSecond);
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);

    age_flow(6 * kSecond);
    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));

    forget_connections();
    age_flow(4 * kSecond);
    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    age_flow(6 * kSecond);
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
}

TEST_P(FlowOwner, ThatWasEvictedIsAskedAgain) {
  add_connection(to_service(IPPROTO_TCP));
  ASSERT_THAT(server_answers(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));

  reset_the_maps();

  EXPECT_THAT(server_answers(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_P(FlowOwner, FlowOnTheSameNodeIsAskedToo) {
  Connection service = to_service(IPPROTO_UDP);
  service.translated_dst = family().pod_b;
  add_connection(service);
  const Frame answer = frame_at(kFromPod, {.dst_mac = kPodAMac,
                                           .src_mac = kPodBMac,
                                           .src = family().pod_b,
                                           .dst = family().pod_a,
                                           .src_port = 8080,
                                           .dst_port = 7000});

  EXPECT_THAT(run(kFromPod, pod_b(), answer), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_P(FlowOwner, OtherPortsAreAnotherFlow) {
  add_connection(to_service(IPPROTO_TCP));
  for (const auto& [src_port, dst_port] :
       {std::pair<std::uint16_t, std::uint16_t>{8081, 7000}, {8080, 7001}}) {
    const Frame other =
        frame_at(kFromWire, {.protocol = IPPROTO_TCP, .src_port = src_port, .dst_port = dst_port});

    EXPECT_EQ(run(kFromWire, other).reason, KUBECNI_FAST_FROM_WIRE);
  }
}

TEST_P(FlowOwner, ErrorHasTheOwnerOfItsFlow) {
  const auto refuse = [&](const Program& hook) {
    return run(hook, frame_at(hook, {.protocol = IPPROTO_ICMP,
                                     .src_port = 8080,
                                     .dst_port = 7000,
                                     .icmp_type = family().icmp_error}));
  };
  EXPECT_EQ(refuse(kFromWire).reason, KUBECNI_FAST_FROM_WIRE);
  EXPECT_EQ(only_owner(), KUBECNI_FLOW_EBPF);
  EXPECT_EQ(server_answers(IPPROTO_UDP).reason, KUBECNI_FAST_FROM_WIRE);
  EXPECT_EQ(flows().size(), 1u);

  reset_the_maps();
  add_connection(to_service(IPPROTO_UDP));
  EXPECT_THAT(refuse(kFromWire), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  EXPECT_EQ(only_owner(), KUBECNI_FLOW_KERNEL);
}

KUBECNI_FOR_BOTH_FAMILIES(FlowOwner);

/// Flows that conntrack cannot be asked about.
class EchoOwner : public FlowOwner {
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
  EXPECT_THAT(echo(kFromWire, family().echo_request), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  EXPECT_EQ(echo(kFromPod, family().echo_reply, 6).reason, KUBECNI_FAST_TO_NODE);
}

TEST_P(EchoOwner, IsTheKernelForHalfAMinuteAfterItsLastPacketThere) {
  for (const Program& hook : {kToPod, kToWire}) {
    reset_the_maps();
    echo(hook, family().echo_request);
    age_flow(29 * kSecond);
    EXPECT_THAT(echo(kFromPod, family().echo_reply), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    age_flow(31 * kSecond);
    EXPECT_EQ(echo(kFromPod, family().echo_reply).reason, KUBECNI_FAST_TO_NODE);

    echo(hook, family().echo_request);
    EXPECT_THAT(echo(kFromPod, family().echo_reply), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
  }
}

TEST_P(EchoOwner, IsNotedAgainAtMostOnceASecond) {
  echo(kToPod, family().echo_request);
  const auto decided = [] { return flows().begin()->second.decided_ns; };
  const auto first = decided();
  echo(kToPod, family().echo_request);
  EXPECT_EQ(decided(), first);

  age_flow(2 * kSecond);
  const auto aged = decided();
  echo(kToPod, family().echo_request);
  EXPECT_GT(decided(), aged);
}

KUBECNI_FOR_BOTH_FAMILIES(EchoOwner);

}  // namespace
}  // namespace kubecni::test
