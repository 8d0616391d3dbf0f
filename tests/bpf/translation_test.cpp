// Flows that netfilter translates: eBPF carries them once their handshake is complete, and changes
// each packet as netfilter would.
#include "flows.hpp"

namespace kubecni::test {
namespace {

class Translation : public FlowTest {
 protected:
  /// What the client sends to the service.
  static IpPacket call(std::uint8_t protocol) {
    IpPacket packet = request(protocol);
    packet.dst = family().outside;
    packet.dst_port = 80;
    return packet;
  }
  Passage client_calls(std::uint8_t protocol) {
    return run(kFromPod, frame_at(kFromPod, call(protocol)));
  }
  Passage client_calls_with(std::uint8_t tcp_flags) {
    IpPacket packet = call(IPPROTO_TCP);
    packet.tcp_flags = tcp_flags;
    return run(kFromPod, frame_at(kFromPod, packet));
  }
  static Connection to_service_at(const char* pod, std::uint8_t protocol) {
    Connection connection = to_service(protocol);
    connection.translated_dst = pod;
    return connection;
  }
};

constexpr std::uint8_t kFin = 0x11, kSyn = 0x02, kRst = 0x04, kSynAck = 0x12;

TEST_P(Translation, OfADestinationOnAnotherNodeAndOfItsAnswer) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    add_connection(to_service(protocol));
    for (int time = 0; time < 2; ++time) {  // decided, and known
      EXPECT_THAT(client_calls(protocol),
                  Redirected(KUBECNI_FAST_TRANSLATED_TO_HOST,
                             one_hop_older(frame_at(kFromPod, request(protocol)))));
      IpPacket translated = answer(protocol);
      translated.src = family().outside;
      translated.src_port = 80;
      EXPECT_THAT(server_answers(protocol),
                  Redirected(KUBECNI_FAST_TRANSLATED_TO_POD,
                             with_macs(one_hop_older(frame_at(kFromWire, translated)), kPodAMac,
                                       kGatewayMac)));
    }
    EXPECT_THAT(owners(), testing::ElementsAre(KUBECNI_FLOW_EBPF, KUBECNI_FLOW_EBPF));
  }
}

TEST_P(Translation, OfADestinationBehindTheTunnel) {
  add_connection(to_service_at(family().tunnel_pod, IPPROTO_TCP));
  IpPacket translated = request(IPPROTO_TCP);
  translated.dst = family().tunnel_pod;

  EXPECT_THAT(client_calls(IPPROTO_TCP),
              Redirected(KUBECNI_FAST_TRANSLATED_TO_HOST,
                         with_macs(one_hop_older(frame_at(kFromPod, translated)), kRemoteTunnelMac,
                                   kTunnelMac)));
}

TEST_P(Translation, OfADestinationOnTheSameNodeAndOfItsAnswer) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    add_connection(to_service_at(family().pod_b, protocol));
    IpPacket there = request(protocol);
    there.dst = family().pod_b;
    EXPECT_THAT(
        client_calls(protocol),
        Redirected(KUBECNI_FAST_TRANSLATED_TO_POD,
                   with_macs(one_hop_older(frame_at(kFromPod, there)), kPodBMac, kGatewayMac)));

    IpPacket back = answer(protocol);
    back.dst_mac = kPodAMac;
    back.src_mac = kPodBMac;
    back.src = family().pod_b;
    IpPacket translated = back;
    translated.src = family().outside;
    translated.src_port = 80;
    EXPECT_THAT(run(kFromPod, pod_b(), frame_at(kFromPod, back)),
                Redirected(KUBECNI_FAST_TRANSLATED_TO_POD, frame_at(kFromPod, translated)));
  }
}

TEST_P(Translation, OfAPodThatReachesItselfByAService) {
  Connection hairpin = to_service_at(family().pod_a, IPPROTO_TCP);
  hairpin.translated_src = family().no_pod;
  add_connection(hairpin);
  IpPacket translated = request(IPPROTO_TCP);
  translated.src = family().no_pod;
  translated.dst = family().pod_a;

  EXPECT_THAT(
      client_calls(IPPROTO_TCP),
      Redirected(KUBECNI_FAST_TRANSLATED_TO_POD,
                 with_macs(one_hop_older(frame_at(kFromPod, translated)), kPodAMac, kGatewayMac)));
}

TEST_P(Translation, OfWhatComesFromOutsideToAPod) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    add_connection({.family = family(),
                    .protocol = protocol,
                    .src = family().outside,
                    .dst = family().remote_node,
                    .dst_port = 30080,
                    .translated_dst = family().pod_a});
    const IpPacket in{.src = family().outside,
                      .dst = family().remote_node,
                      .protocol = protocol,
                      .src_port = 7000,
                      .dst_port = 30080};
    IpPacket translated = in;
    translated.dst = family().pod_a;
    translated.dst_port = 8080;

    EXPECT_THAT(run(kFromWire, frame_at(kFromWire, in)),
                Redirected(KUBECNI_FAST_TRANSLATED_TO_POD,
                           with_macs(one_hop_older(frame_at(kFromWire, translated)), kPodAMac,
                                     kGatewayMac)));

    // IPsec may have to see it.
    auto config = must(dataplane().node_config.read());
    config.may_bypass_ipsec = 0;
    must(dataplane().node_config.set(config));
    EXPECT_THAT(run(kFromWire, frame_at(kFromWire, in)), LeftToKernel(KUBECNI_PASS_NO_WAY));
  }
}

TEST_P(Translation, OfWhatComesFromOutsideToAPodOfAnotherNode) {
  add_connection({.family = family(),
                  .src = family().outside,
                  .dst = family().no_pod,
                  .dst_port = 30080,
                  .translated_dst = family().remote_pod});
  const IpPacket in{.src = family().outside,
                    .dst = family().no_pod,
                    .protocol = IPPROTO_TCP,
                    .src_port = 7000,
                    .dst_port = 30080};
  IpPacket translated = in;
  translated.dst = family().remote_pod;
  translated.dst_port = 8080;

  const Passage passage = run(kFromWire, frame_at(kFromWire, in));
  EXPECT_THAT(passage, Redirected(KUBECNI_FAST_TRANSLATED_TO_HOST,
                                  one_hop_older(frame_at(kFromWire, translated))));
  EXPECT_EQ(passage.mark, KUBECNI_MARK_FAST);
}

TEST_P(Translation, KernelHasPacketsThatAreTranslatedAlready) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    add_connection(to_service(protocol));

    EXPECT_THAT(client_sends(protocol), LeftToKernel(KUBECNI_PASS_KERNEL_FLOW));
    EXPECT_THAT(owners(), testing::ElementsAre(KUBECNI_FLOW_KERNEL));
  }
}

TEST_P(Translation, KernelHasTheFlowUntilTheHandshakeIsComplete) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    Connection first = to_service(protocol);
    first.is_assured = false;
    add_connection(first);
    EXPECT_THAT(server_answers(protocol), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
    EXPECT_THAT(client_calls(protocol), LeftToKernel(KUBECNI_PASS_HANDSHAKE));

    forget_connections();
    add_connection(to_service(protocol));
    if (protocol == IPPROTO_UDP) age_flows(2 * kSecond);
    EXPECT_EQ(client_calls(protocol).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);
  }
}

TEST_P(Translation, OfDatagramsThatNobodyAnswers) {
  Connection one_way = to_service(IPPROTO_UDP);
  one_way.is_answered = one_way.is_assured = false;
  add_connection(one_way);

  EXPECT_EQ(client_calls(IPPROTO_UDP).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);
  EXPECT_NEAR(time_left_s(), 30, 5);
  EXPECT_THAT(server_answers(IPPROTO_UDP), LeftToKernel(KUBECNI_PASS_HANDSHAKE))
      << "conntrack has to see the first answer";
}

TEST_P(Translation, KernelHasAConnectionThatBeganToClose) {
  Connection closing = to_service(IPPROTO_TCP);
  closing.tcp_state = "CLOSE_WAIT";
  add_connection(closing);

  EXPECT_THAT(client_calls(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
}

// A RST with another sequence number than conntrack expects, since eBPF carried the data before,
// leaves the state and shortens the timeout.
TEST_P(Translation, KernelHasAConnectionThatConntrackEndsSoon) {
  Connection reset = to_service(IPPROTO_TCP);
  reset.timeout_s = 10;
  add_connection(reset);

  EXPECT_THAT(client_calls(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
  EXPECT_LE(time_left_s(), 10u);
}

TEST_P(Translation, KernelHasWhatLooksLikeAPacketOfTheTunnel) {
  auto config = must(dataplane().node_config.read());
  config.tunnel_port[0] = 8080 >> 8;
  config.tunnel_port[1] = 8080 & 0xff;
  must(dataplane().node_config.set(config));
  add_connection(to_service(IPPROTO_UDP));
  EXPECT_THAT(client_calls(IPPROTO_UDP), LeftToKernel(KUBECNI_PASS_NO_WAY));

  const Frame in = frame_at(kFromWire, {.dst_port = 8080});
  EXPECT_EQ(run(kFromWire, in).reason, KUBECNI_FAST_FROM_WIRE);
  EXPECT_EQ(flows().size(), 1u) << "not worth an answer";
}

TEST_P(Translation, KernelHasWhatOpensAndClosesAConnection) {
  add_connection(to_service(IPPROTO_TCP));
  ASSERT_EQ(client_calls(IPPROTO_TCP).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);

  for (const auto flags : {kFin, kRst})
    EXPECT_THAT(client_calls_with(flags), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
  EXPECT_EQ(flows().size(), 1u);
  EXPECT_THAT(client_calls_with(kSyn), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
  EXPECT_EQ(flows().size(), 0u) << "the port may be another flow's now";

  ASSERT_EQ(server_answers(IPPROTO_TCP).reason, KUBECNI_FAST_TRANSLATED_TO_POD);
  IpPacket accept = answer(IPPROTO_TCP);
  accept.tcp_flags = kSynAck;
  EXPECT_THAT(run(kFromWire, frame_at(kFromWire, accept)), LeftToKernel(KUBECNI_PASS_HANDSHAKE));
  EXPECT_EQ(flows().size(), 0u);
}

TEST_P(Translation, KernelHasWhatRulesMayRouteByAMark) {
  Connection marked = to_service(IPPROTO_TCP);
  marked.mark = 7;
  add_connection(marked);

  for (int time = 0; time < 2; ++time)
    EXPECT_THAT(client_calls(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_SPECIAL_TRANSLATION));
}

TEST_P(Translation, KernelHasWhatGoesWhereNoPodIs) {
  for (const char* dst : {family().no_pod, family().remote_node}) {
    reset_the_maps();
    forget_connections();
    add_connection(to_service_at(dst, IPPROTO_TCP));

    for (int time = 0; time < 2; ++time)
      EXPECT_THAT(client_calls(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_NO_WAY)) << dst;
  }
}

TEST_P(Translation, KernelHasWhatGoesToAPodThatIsShaped) {
  set_flags(family().pod_b, KUBECNI_ENDPOINT_READY | KUBECNI_ENDPOINT_SHAPED);
  add_connection(to_service_at(family().pod_b, IPPROTO_TCP));

  EXPECT_THAT(client_calls(IPPROTO_TCP), LeftToKernel(KUBECNI_PASS_NO_WAY));
}

TEST_P(Translation, KernelAnswersAPacketWithoutHopsOrTooLong) {
  add_connection(to_service(IPPROTO_UDP));
  for (const auto& [change, reason] :
       {std::pair{+[](IpPacket& packet) { packet.ttl = 1; }, KUBECNI_PASS_TTL_EXPIRED},
        std::pair{+[](IpPacket& packet) { packet.payload_bytes = kNicMtu; },
                  KUBECNI_PASS_OVER_MTU}}) {
    IpPacket packet = call(IPPROTO_UDP);
    change(packet);
    EXPECT_THAT(run(kFromPod, frame_at(kFromPod, packet)), LeftToKernel(reason));
  }
}

TEST_P(Translation, ChangesAtOnceWhenTheKernelIsSeenToTranslate) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    ASSERT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE);
    add_connection(to_service(protocol));
    ASSERT_EQ(server_answers(protocol).reason, KUBECNI_FAST_FROM_WIRE) << "not asked again yet";

    kernel_sends(protocol);

    EXPECT_EQ(server_answers(protocol).reason, KUBECNI_FAST_TRANSLATED_TO_POD);
  }
}

TEST_P(Translation, KeepsTheFlowInConntrackAsLongAsTheNodeDoes) {
  for (const auto& [protocol, default_s] :
       {std::pair{IPPROTO_TCP, 432'000u}, std::pair{IPPROTO_UDP, 120u}}) {
    reset_the_maps();
    forget_connections();
    Connection connection = to_service(static_cast<std::uint8_t>(protocol));
    connection.timeout_s = 500;
    add_connection(connection);
    client_calls(static_cast<std::uint8_t>(protocol));
    EXPECT_NEAR(time_left_s(), default_s, 10);

    auto config = must(dataplane().node_config.read());
    config.tcp_timeout_s = config.udp_timeout_s = 3600;
    must(dataplane().node_config.set(config));
    client_calls(static_cast<std::uint8_t>(protocol));
    EXPECT_NEAR(time_left_s(), 3600, 10);
  }
}

TEST_P(Translation, OfTheOldFlowEndsWithItsEntry) {
  for (const auto protocol : kAskable) {
    reset_the_maps();
    forget_connections();
    add_connection(to_service(protocol));
    ASSERT_EQ(client_calls(protocol).reason, KUBECNI_FAST_TRANSLATED_TO_HOST);

    forget_connections();
    age_flows(2 * kSecond);

    EXPECT_THAT(client_calls(protocol), LeftToKernel(KUBECNI_PASS_NO_NODE));
  }
}

KUBECNI_FOR_BOTH_FAMILIES(Translation);

using TranslationOfIpv4 = Translation;

TEST_P(TranslationOfIpv4, AbsentUdpChecksumStaysAbsent) {
  add_connection(to_service(IPPROTO_UDP));
  Frame in = frame_at(kFromPod, call(IPPROTO_UDP));
  Frame out = one_hop_older(frame_at(kFromPod, request(IPPROTO_UDP)));
  constexpr std::size_t kChecksumAt = 14 + 20 + 6;
  for (Frame* frame : {&in, &out}) (*frame)[kChecksumAt] = (*frame)[kChecksumAt + 1] = 0;

  EXPECT_THAT(run(kFromPod, in), Redirected(KUBECNI_FAST_TRANSLATED_TO_HOST, out));
}

INSTANTIATE_TEST_SUITE_P(, TranslationOfIpv4, testing::Values(kIpv4), name_of_family);

}  // namespace
}  // namespace kubecni::test
