// Pods that a policy selects: netfilter judges their flows, and eBPF carries what netfilter has let
// pass, until the policy changes or conntrack forgets the flow.
#include "dataplane/map_generation.hpp"
#include "dataplane/pins.hpp"
#include "flows.hpp"

namespace kubecni::test {
namespace {

constexpr __u32 kPoliced = KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_POLICED;
constexpr std::uint8_t kFin = 0x11, kSyn = 0x02, kRst = 0x14, kSynAck = 0x12;

class Policed : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    if (!IsSkipped()) set_flags(family().pod_a, kPoliced);
  }
  /// The kernel path delivers the packet to pod A.
  Passage kernel_delivers(const IpPacket& packet) { return run(kToPod, frame_at(kToPod, packet)); }
  Passage client_sends_flags(std::uint8_t tcp_flags) {
    IpPacket packet = request(IPPROTO_TCP);
    packet.tcp_flags = tcp_flags;
    return run(kFromPod, frame_at(kFromPod, packet));
  }
  /// The client's flow is eBPF's.
  void let_pass(std::uint8_t protocol) {
    add_connection(plain(protocol));
    kernel_sends(protocol);
    ASSERT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
  static void raise_generation() { must(MapGeneration::open(PinPaths(bpffs()).maps)).raise(); }
};
KUBECNI_FOR_BOTH_FAMILIES(Policed);

TEST_P(Policed, FlowIsCarriedOnceTheKernelPathHasLetAPacketPass) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    set_flags(family().pod_a, kPoliced);
    forget_connections();
    add_connection(plain(protocol));

    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_POLICED));
    kernel_sends(protocol);
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE) << "decided";
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE) << "known";
    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_POLICED))
        << "each direction by itself";
    kernel_delivers(answer(protocol));
    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE);
  }
}

TEST_P(Policed, FlowThatConntrackDoesNotKnowIsTheKernels) {
  kernel_sends(IPPROTO_UDP);

  EXPECT_THAT(client_sends(IPPROTO_UDP), LeftToKernel(KUBECNI_PASS_POLICED));
  EXPECT_THAT(owners(), testing::IsEmpty());
}

TEST_P(Policed, FlowOfWhichConntrackHasNotSeenEnoughIsTheKernels) {
  for (const auto protocol : kAskable) {
    forget_connections();
    Connection young = plain(protocol);
    young.is_assured = false;
    add_connection(young);
    kernel_sends(protocol);

    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_POLICED));
  }
}

TEST_P(Policed, DatagramsThatNobodyAnswersAreCarried) {
  for (const bool is_call : {false, true}) {
    reset_the_maps();
    set_flags(family().pod_a, kPoliced);
    forget_connections();
    Connection unanswered = is_call ? to_service(IPPROTO_UDP) : plain(IPPROTO_UDP);
    unanswered.is_answered = false;
    add_connection(unanswered);
    IpPacket sent = request(IPPROTO_UDP);
    if (is_call) {
      sent.dst = family().outside;
      sent.dst_port = 80;
    }

    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, sent)), LeftToKernel(KUBECNI_PASS_POLICED));
    kernel_sends(IPPROTO_UDP);
    EXPECT_EQ(run(kFromPod, frame_at(kFromPod, sent)).reason,
              is_call ? KUBECNI_FAST_TRANSLATED_TO_HOST : KUBECNI_FAST_TO_NODE);
    EXPECT_THAT(server_answers(IPPROTO_UDP),
                LeftToKernel(is_call ? KUBECNI_PASS_HANDSHAKE : KUBECNI_PASS_POLICED));
  }
}

TEST_P(Policed, ConnectionsBeginAndEndOnTheKernelPath) {
  let_pass(IPPROTO_TCP);

  for (const std::uint8_t flags : {kFin, kRst})
    EXPECT_THAT(client_sends_flags(flags), LeftToKernel(KUBECNI_PASS_POLICED));
  EXPECT_EQ(client_sends(IPPROTO_TCP).reason, KUBECNI_FAST_TO_NODE);
  for (const std::uint8_t flags : {kSyn, kSynAck}) {
    kernel_sends(IPPROTO_TCP);
    ASSERT_EQ(client_sends(IPPROTO_TCP).reason, KUBECNI_FAST_TO_NODE);
    EXPECT_THAT(client_sends_flags(flags), LeftToKernel(KUBECNI_PASS_POLICED));
    EXPECT_THAT(client_sends(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_POLICED)) << "a new flow";
  }
}

TEST_P(Policed, PacketsThatOpenOrCloseAreNoSign) {
  add_connection(plain(IPPROTO_TCP));
  for (const std::uint8_t flags : {kSyn, kSynAck, kFin, kRst}) {
    IpPacket packet = request(IPPROTO_TCP);
    packet.tcp_flags = flags;
    run(kToWire, frame_at(kToWire, packet));
  }

  EXPECT_THAT(client_sends(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_POLICED));
}

TEST_P(Policed, ChangeOfThePolicyEndsAllAnswers) {
  for (const auto protocol : kAskable) {
    forget_connections();
    let_pass(protocol);

    raise_generation();

    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_POLICED));
    kernel_sends(protocol);
    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
}

TEST_P(Policed, AnswerThatExpiresIsAskedForWithoutTheKernelPath) {
  for (const auto protocol : kAskable) {
    forget_connections();
    let_pass(protocol);

    age_flows(2 * kSecond);

    EXPECT_EQ(client_sends(protocol).reason, KUBECNI_FAST_TO_NODE);
  }
}

TEST_P(Policed, FlowThatConntrackForgetsIsTheKernelsAgain) {
  for (const auto protocol : kAskable) {
    forget_connections();
    let_pass(protocol);
    forget_connections();

    age_flows(2 * kSecond);

    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_POLICED));
  }
}

TEST_P(Policed, CarriedFlowLivesOnInConntrack) {
  Connection connection = plain(IPPROTO_UDP);
  connection.timeout_s = 20;
  add_connection(connection);
  kernel_sends(IPPROTO_UDP);

  ASSERT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);

  EXPECT_GT(time_left_s(), 100u);
}

TEST_P(Policed, PodBecomesPolicedInTheMiddleOfAFlow) {
  set_flags(family().pod_a, KUBECNI_ENDPOINT_READY);
  ASSERT_EQ(client_sends(IPPROTO_UDP).reason, KUBECNI_FAST_TO_NODE);

  set_flags(family().pod_a, kPoliced);

  EXPECT_THAT(client_sends(IPPROTO_UDP), LeftToKernel(KUBECNI_PASS_POLICED));
}

TEST_P(Policed, PodsOfOneNodeWhicheverIsPoliced) {
  const IpPacket to_b{.dst_mac = kPodBMac,
                      .src = family().pod_a,
                      .dst = family().pod_b,
                      .src_port = 7000,
                      .dst_port = 8080};
  for (const char* policed : {family().pod_a, family().pod_b}) {
    SCOPED_TRACE(policed);
    reset_the_maps();
    set_flags(policed, kPoliced);
    forget_connections();
    Connection connection = plain(IPPROTO_UDP);
    connection.dst = family().pod_b;
    add_connection(connection);
    const Frame sent = frame_at(kFromPod, to_b);

    EXPECT_THAT(run(kFromPod, sent), LeftToKernel(KUBECNI_PASS_POLICED));
    IpPacket arriving = to_b;
    arriving.src_mac = kPodAMac;
    run(kToPod, pod_b(), frame_at(kToPod, arriving));
    EXPECT_THAT(run(kFromPod, sent), Redirected(KUBECNI_FAST_TO_LOCAL_POD, sent));
  }
}

TEST_P(Policed, CallOfAServiceAndItsAnswer) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    set_flags(family().pod_a, kPoliced);
    forget_connections();
    add_connection(to_service(protocol));
    IpPacket call = request(protocol);
    call.dst = family().outside;
    call.dst_port = 80;
    IpPacket translated = answer(protocol);
    translated.src = family().outside;
    translated.src_port = 80;

    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, call)), LeftToKernel(KUBECNI_PASS_POLICED));
    kernel_sends(protocol);
    EXPECT_EQ(run(kFromPod, frame_at(kFromPod, call)).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);
    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_POLICED));
    kernel_delivers(translated);
    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_TRANSLATED_TO_POD);
  }
}

TEST_P(Policed, BackendOfAServiceOnTheSameNode) {
  set_flags(family().pod_a, KUBECNI_ENDPOINT_READY);
  set_flags(family().pod_b, kPoliced);
  Connection connection = to_service(IPPROTO_TCP);
  connection.translated_dst = family().pod_b;
  add_connection(connection);
  IpPacket call = request(IPPROTO_TCP);
  call.dst = family().outside;
  call.dst_port = 80;

  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, call)), LeftToKernel(KUBECNI_PASS_POLICED));
  IpPacket arriving = request(IPPROTO_TCP);
  arriving.dst = family().pod_b;
  run(kToPod, pod_b(), frame_at(kToPod, arriving));
  EXPECT_EQ(run(kFromPod, frame_at(kFromPod, call)).reason, KUBECNI_FAST_TRANSLATED_TO_POD);
}

TEST_P(Policed, EchoesAndErrorsAreTheKernels) {
  EXPECT_THAT(client_sends(IPPROTO_ICMP), LeftToKernel(KUBECNI_PASS_POLICED));
  kernel_sends(IPPROTO_ICMP);
  EXPECT_EQ(client_sends(IPPROTO_ICMP).verdict, KUBECNI_VERDICT_PASS);
  add_connection(plain(IPPROTO_UDP));
  IpPacket error = request(IPPROTO_ICMP);
  error.icmp_type = family().icmp_error;
  EXPECT_EQ(run(kFromPod, frame_at(kFromPod, error)).verdict, KUBECNI_VERDICT_PASS);
}

TEST_P(Policed, PodSendsAsAnotherOneInTheMiddleOfAFlow) {
  let_pass(IPPROTO_UDP);
  IpPacket lie = request(IPPROTO_UDP);
  lie.src = family().pod_b;

  EXPECT_THAT(run(kFromPod, frame_at(kFromPod, lie)), Dropped(KUBECNI_DROP_SPOOFED_IP));
}

TEST_P(Policed, WithoutAnswersOfConntrackEverythingIsTheKernels) {
  use_programs_without_conntrack();
  add_connection(plain(IPPROTO_UDP));
  kernel_sends(IPPROTO_UDP);

  EXPECT_EQ(client_sends(IPPROTO_UDP).verdict, KUBECNI_VERDICT_PASS);
}

}  // namespace
}  // namespace kubecni::test
