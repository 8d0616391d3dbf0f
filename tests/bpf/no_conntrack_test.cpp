// The programs for kernels whose conntrack cannot be asked: a flow that the
// kernel carried once stays there.
#include "fixture.hpp"

#include <string_view>

namespace kubecni::test {
namespace {

class NoConntrack : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    if (!IsSkipped()) use_programs_without_conntrack();
  }

  static IpPacket there(std::uint8_t protocol) {
    return {.protocol = protocol, .src_port = 7000, .dst_port = 80};
  }
  static IpPacket back(std::uint8_t protocol) {
    return {.protocol = protocol,
            .src_port = std::uint16_t(protocol == IPPROTO_ICMP ? 7000 : 80),
            .dst_port = 7000};
  }
};

TEST_P(NoConntrack, FlowThatTheKernelDoesNotCarryIsEbpf) {
  for (const auto protocol : kProtocols) {
    EXPECT_EQ(run(kFromPod, frame_at(kFromPod, there(protocol))).reason, KUBECNI_FAST_TO_NODE);
    EXPECT_EQ(run(kFromWire, frame_at(kFromWire, back(protocol))).reason, KUBECNI_FAST_FROM_WIRE);
  }

  EXPECT_TRUE(flows().empty()) << "the table is for what the kernel path carries";
}

TEST_P(NoConntrack, FlowThatTheKernelCarriedStaysThereHoweverLongAgo) {
  for (const Program& hook : {kToPod, kToWire, kToTunnel}) {
    for (const auto protocol : kProtocols) {
      reset_the_maps();
      const bool is_inward = hook.name == std::string_view(kToPod.name);
      run(hook, frame_at(hook, there(protocol)));
      ASSERT_EQ(flows().size(), 1u);
      auto [flow, state] = *flows().begin();
      EXPECT_EQ(state.owner, KUBECNI_FLOW_KERNEL);
      state.decided_ns = 1;  // the machine had just been switched on
      set_flow(flow, state);

      const Program& answers = is_inward ? kFromPod : kFromWire;
      IpPacket answer = back(protocol);
      if (hook.name == std::string_view(kToTunnel.name)) answer.src = family().tunnel_pod;
      EXPECT_THAT(run(answers, frame_at(answers, answer)), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    }
  }
}

TEST_P(NoConntrack, ErrorAboutAFlowThatTheKernelCarriedTakesThatPathToo) {
  run(kToPod, frame_at(kToPod, there(IPPROTO_UDP)));
  const Frame error = frame_at(kFromPod, {.protocol = IPPROTO_ICMP,
                                          .src_port = 80,
                                          .dst_port = 7000,
                                          .icmp_type = family().icmp_error});

  EXPECT_THAT(run(kFromPod, error), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
}

TEST_P(NoConntrack, RecordIsRefreshed) {
  run(kToPod, frame_at(kToPod, {}));
  auto [flow, state] = *flows().begin();
  state.decided_ns = 1;
  set_flow(flow, state);

  run(kToPod, frame_at(kToPod, {}));

  EXPECT_GT(flows().begin()->second.decided_ns, 1u);
}

TEST_P(NoConntrack, VerdictOfConntrackDoesNotKeepAFlowFromTheKernel) {
  run(kToPod, frame_at(kToPod, there(IPPROTO_TCP)));
  auto [flow, state] = *flows().begin();
  state.owner = KUBECNI_FLOW_EBPF;
  set_flow(flow, state);

  run(kToPod, frame_at(kToPod, there(IPPROTO_TCP)));

  EXPECT_EQ(flows().begin()->second.owner, KUBECNI_FLOW_KERNEL);
}

KUBECNI_FOR_BOTH_FAMILIES(NoConntrack);

}  // namespace
}  // namespace kubecni::test
