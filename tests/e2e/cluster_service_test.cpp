// A kube-proxy service across nodes: netfilter on one node rewrites the flow, and eBPF on that node
// carries it on.

#include "cluster.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

const IpAddr kServiceAddress = IpAddr::v4({10, 96, 0, 10});

class ClusterService : public testing::Test {
 protected:
  /// Makes `node` rewrite what goes to `address`:80 into `backend`:8080, as
  /// strictly as kube-proxy: what conntrack calls invalid is dropped.
  void rewrite(const Node& node, const IpAddr& address, const Pod& backend) {
    node.must_run({"nft",
                   "table ip proxy {"
                   " chain by_pods { type nat hook prerouting priority dstnat; ip daddr " +
                       address.str() + " tcp dport 80 dnat to " + backend.address.str() +
                       ":8080; };"
                       " chain strict { type filter hook forward priority 0;"
                       " ct state invalid drop; }; }"});
  }

  Result<> call(const Pod& client, const IpAddr& address, const Pod& backend) {
    return TcpTransfer({.client = client.netns,
                        .server = backend.netns,
                        .to = address,
                        .port = 80,
                        .server_port = 8080,
                        .bytes = 4 << 20,
                        .deadline = std::chrono::seconds(10)})
        .finish();
  }

  Cluster cluster{"ebpf"};
};

TEST_F(ClusterService, BackedByAPodOfAnotherNodeIsReached) {
  rewrite(cluster.a, kServiceAddress, *cluster.pod_b);
  const auto before = cluster.a.counters();

  EXPECT_TRUE(ok(call(*cluster.pod_a, kServiceAddress, *cluster.pod_b)));

  const auto after = cluster.a.counters();
  EXPECT_GT(grown(before, after, KUBECNI_KERNEL_TO_WIRE), 0u) << growth(before, after);
  EXPECT_LT(grown(before, after, KUBECNI_KERNEL_TO_WIRE), 20u) << growth(before, after);
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TRANSLATED_TO_POD) +
                grown(before, after, KUBECNI_FAST_TRANSLATED_TO_HOST),
            50u)
      << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_FAST_FROM_WIRE), 0u) << growth(before, after);
}

TEST_F(ClusterService, OfThisNodesAddressIsReachedByAPodOfAnotherNode) {
  const IpAddr node_a = IpAddr::v4({192, 0, 2, 1});
  rewrite(cluster.a, node_a, *cluster.pod_a);
  const auto before = cluster.a.counters();

  EXPECT_TRUE(ok(call(*cluster.pod_b, node_a, *cluster.pod_a)));

  const auto after = cluster.a.counters();
  EXPECT_GT(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
  EXPECT_LT(grown(before, after, KUBECNI_KERNEL_TO_POD), 20u) << growth(before, after);
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TRANSLATED_TO_POD) +
                grown(before, after, KUBECNI_FAST_TRANSLATED_TO_HOST),
            50u)
      << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_FAST_TO_NODE), 0u) << growth(before, after);
}

TEST_F(ClusterService, LeavesDirectTrafficOfTheSamePodsToEbpf) {
  rewrite(cluster.a, kServiceAddress, *cluster.pod_b);
  ASSERT_TRUE(ok(call(*cluster.pod_a, kServiceAddress, *cluster.pod_b)));
  const auto before = cluster.a.counters();

  EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));

  const auto after = cluster.a.counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_NODE), 0u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_PASS_KERNEL_FLOW), 0u) << growth(before, after);
}

}  // namespace
}  // namespace kubecni::test
