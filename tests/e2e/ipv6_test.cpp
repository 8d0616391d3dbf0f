// IPv6 alone, and both families: what a pod gets, that its first packet arrives, and which
// neighbour discovery it may not send.

#include "cluster.hpp"
#include "paths.hpp"
#include "support/capture.hpp"
#include "support/packet.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

std::vector<std::string> nets_of(const CniAnswer& answer) {
  std::vector<std::string> nets;
  for (const json& ip : answer.json["ips"]) nets.push_back(ip["address"]);
  return nets;
}

CniAnswer add(const Node& node, const Pod& pod) {
  return node.cni("ADD", pod, {{"subnet", nullptr}, {"ipam", nullptr}});
}

TEST(DualStack, AResultHasTheAddressesInTheOrderOfThePodCidrs) {
  for (const bool ipv6_first : {false, true}) {
    Cluster cluster({.families = Families::kDual, .ipv6_first = ipv6_first});
    const Pod pod("pod");

    const auto answer = add(cluster.a, pod);

    ASSERT_TRUE(ok(answer));
    std::vector<std::string> wanted{"10.200.1.3/24", "fd00:10:1::3/64"};
    if (ipv6_first) std::ranges::reverse(wanted);
    EXPECT_EQ(nets_of(answer), wanted);
    EXPECT_EQ(answer.json["routes"].size(), 2u);
  }
}

TEST(Ipv6Only, ANodeWithoutAnyIpv4Works) {
  Cluster cluster({.families = Families::kV6});
  const Pod pod("pod");

  const auto answer = add(cluster.a, pod);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(nets_of(answer), std::vector<std::string>{"fd00:10:1::3/64"});
  EXPECT_EQ(cluster.a.must_run({"ip", "-4", "-o", "addr", "show", "scope", "global"}), "");
  EXPECT_EQ(Node::must_run_in(pod.netns, {"ip", "-4", "-o", "addr", "show", "scope", "global"}),
            "");
  EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_b->address)));
}

/// No test waits for duplicate address detection.
class FirstPacket : public testing::TestWithParam<std::string> {};

TEST_P(FirstPacket, OfANewPodIsAnswered) {
  Cluster cluster({.dataplane = GetParam(), .families = Families::kDual});

  for (int i = 0; i < 3; ++i) {
    const Pod pod = cluster.add_pod(cluster.a, "pod-" + std::to_string(i));
    const IpAddr own = pod.address_of(AF_INET6);
    const std::chrono::milliseconds soon{500};
    EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_b->address_of(AF_INET6), own, soon)));
    EXPECT_TRUE(ok(ping(pod.netns, cluster.pod_a->address_of(AF_INET6), own, soon)));
    EXPECT_TRUE(ok(ping(cluster.b.netns, own, {}, soon)));
    EXPECT_TRUE(ok(ping(cluster.a.netns, own, {}, soon)));
  }
}

TEST_P(FirstPacket, OfTheFirstPodOfANodeIsAnswered) {
  const Node node("node", std::vector<std::string>{"10.200.1.0/24", "fd00:10:1::/64"}, GetParam());
  const std::chrono::milliseconds soon{500};

  const Pod pod = node.add_pod("pod");

  EXPECT_TRUE(ok(ping(pod.netns, node.gateway(AF_INET6), {}, soon)));
  EXPECT_TRUE(ok(ping(node.netns, pod.address_of(AF_INET6), {}, soon)));
}

INSTANTIATE_TEST_SUITE_P(On, FirstPacket, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

/// A pod that spoofs neighbour discovery.
class NeighbourSpoofing : public testing::Test {
 protected:
  NeighbourSpoofing() { must(ping(bad.netns, victim.address)); }

  [[nodiscard]] std::string mac_of(const Pod& pod) const {
    return node.attachment(pod).port.pod_mac.str();
  }

  /// Sends the message from the bad pod, and expects that it is counted and does not reach the
  /// victim.
  void expect_dropped(const Frame& frame, kubecni_exit_reason reason) {
    Capture capture(victim.netns, "eth0");
    const ExitCounts before = node.counters();

    send_frame(bad.netns, "eth0", frame);

    const ExitCounts after = node.counters();
    EXPECT_EQ(grown(before, after, reason), 1u) << growth(before, after);
    for (const WireFrame& seen : capture.frames()) {
      // Its kernel may report its multicast groups at any time.
      if (seen.outer.dst == IpAddr::parse("ff02::16")) continue;
      EXPECT_NE(seen.outer.src_mac, *MacAddr::parse(mac_of(bad))) << seen.str();
    }
  }

  Node node{"node", std::vector<std::string>{"fd00:10:1::/64"}, "ebpf"};
  Pod bad = node.add_pod("bad");
  Pod victim = node.add_pod("victim");
};

TEST_F(NeighbourSpoofing, AdvertisementForTheGatewayIsDropped) {
  expect_dropped(nd_message({.dst_mac = mac_of(victim),
                             .src_mac = mac_of(bad),
                             .src = bad.address.str(),
                             .dst = victim.address.str(),
                             .type = 136,
                             .target = node.gateway().str(),
                             .options = {{.type = 2, .mac = mac_of(bad)}}}),
                 KUBECNI_DROP_SPOOFED_ND);
}

TEST_F(NeighbourSpoofing, SolicitationInTheNameOfAnotherIsDropped) {
  expect_dropped(nd_message({.dst_mac = mac_of(victim),
                             .src_mac = mac_of(bad),
                             .src = node.gateway().str(),
                             .dst = victim.address.str(),
                             .type = 135,
                             .target = victim.address.str(),
                             .options = {{.type = 1, .mac = mac_of(bad)}}}),
                 KUBECNI_DROP_SPOOFED_ND);
}

TEST_F(NeighbourSpoofing, RouterAdvertisementIsDropped) {
  expect_dropped(nd_message({.dst_mac = "33:33:00:00:00:01",
                             .src_mac = mac_of(bad),
                             .src = MacAddr::parse(mac_of(bad))->link_local().str(),
                             .dst = "ff02::1",
                             .type = 134}),
                 KUBECNI_DROP_ROUTER_ND);
}

TEST_F(NeighbourSpoofing, HonestMessagesOfAPodArrive) {
  Node::must_run_in(bad.netns, {"ip", "-6", "neigh", "flush", "dev", "eth0"});
  Node::must_run_in(victim.netns, {"ip", "-6", "neigh", "flush", "dev", "eth0"});
  const ExitCounts before = node.counters();

  EXPECT_TRUE(ok(ping(bad.netns, victim.address)));
  EXPECT_TRUE(ok(ping(bad.netns, node.gateway())));

  const ExitCounts after = node.counters();
  EXPECT_GT(grown(before, after, KUBECNI_PASS_NEIGHBOUR_DISCOVERY), 0u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_DROP_SPOOFED_ND), 0u) << growth(before, after);
}

TEST_F(NeighbourSpoofing, PacketInTheNameOfAnotherIsDropped) {
  expect_dropped(ip_packet({.family = AF_INET6,
                            .dst_mac = mac_of(victim),
                            .src_mac = mac_of(bad),
                            .src = "fd00:10:1::99",
                            .dst = victim.address.str()}),
                 KUBECNI_DROP_SPOOFED_IP);
}

}  // namespace
}  // namespace kubecni::test
