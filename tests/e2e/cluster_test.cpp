// Pods reach pods of another node, on either path.

#include "cluster.hpp"

#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

class TwoNodes : public testing::TestWithParam<std::string> {
 protected:
  /// Sends `traffic` both ways, and expects that eBPF carried it from pod to wire and from wire to
  /// pod, unless there is no eBPF.
  template <typename Traffic>
  void expect_on_own_path(unsigned packets, Traffic traffic) {
    const auto before_a = counters(cluster.a);
    const auto before_b = counters(cluster.b);

    traffic();

    if (GetParam() == "bridge") return;
    for (const auto& [before, after] :
         {std::pair{before_a, counters(cluster.a)}, std::pair{before_b, counters(cluster.b)}}) {
      EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_NODE), packets) << growth(before, after);
      EXPECT_GE(grown(before, after, KUBECNI_FAST_FROM_WIRE), packets) << growth(before, after);
      EXPECT_GE(grown(before, after, KUBECNI_FAST_SENT_TO_WIRE), packets) << growth(before, after);
      EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
      EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_WIRE), 0u) << growth(before, after);
    }
  }

  [[nodiscard]] ExitCounts counters(const Node& node) const {
    return GetParam() == "bridge" ? ExitCounts{} : node.counters();
  }

  Cluster cluster{GetParam()};
  const NetNs& a = cluster.pod_a->netns;
  const NetNs& b = cluster.pod_b->netns;
  IpAddr a_address = cluster.pod_a->address;
  IpAddr b_address = cluster.pod_b->address;
};

TEST_P(TwoNodes, PodsPingEachOther) {
  expect_on_own_path(2, [&] {
    EXPECT_TRUE(ok(ping(a, b_address)));
    EXPECT_TRUE(ok(ping(b, a_address)));
  });
}

TEST_P(TwoNodes, PodsExchangeDatagrams) {
  expect_on_own_path(10, [&] {
    EXPECT_TRUE(ok(udp_echo(a, b, b_address)));
    EXPECT_TRUE(ok(udp_echo(b, a, a_address)));
  });
}

TEST_P(TwoNodes, PodsTransferByTcpWithEachByteRight) {
  expect_on_own_path(100, [&] {
    EXPECT_TRUE(ok(tcp_transfer(a, b, b_address, 8 << 20)));
    EXPECT_TRUE(ok(tcp_transfer(b, a, a_address, 8 << 20)));
  });
}

TEST_P(TwoNodes, NodeReachesThePodsOfTheOther) {
  const NetNs& node = cluster.a.netns;

  EXPECT_TRUE(ok(ping(node, b_address)));
  EXPECT_TRUE(ok(udp_echo(node, b, b_address)));
  EXPECT_TRUE(ok(tcp_transfer(node, b, b_address)));
}

TEST_P(TwoNodes, PodReachesTheOtherNode) {
  const IpAddr node_b = IpAddr::v4({192, 0, 2, 2});

  EXPECT_TRUE(ok(ping(a, node_b)));
  EXPECT_TRUE(ok(udp_echo(a, cluster.b.netns, node_b)));
  EXPECT_TRUE(ok(tcp_transfer(a, cluster.b.netns, node_b)));
}

TEST_P(TwoNodes, LargePingIsFragmentedAndArrives) {
  // More than the MTU: fragments go by the kernel, and arrive all the same.
  Node::must_run_in(a, {"ping", "-c", "2", "-W", "3", "-i", "0.2", "-s", "4000", b_address.str()});
}

INSTANTIATE_TEST_SUITE_P(Path, TwoNodes, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
