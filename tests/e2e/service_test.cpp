// A kube-proxy service: netfilter rewrites the destination to a pod on the same node. eBPF carries
// the flow once it is established, and translates both ways. Otherwise the answer would come from
// an address that the client never called.

#include "expect.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

const IpAddr kServiceAddress = IpAddr::v4({10, 96, 0, 10});
constexpr std::uint16_t kServicePort = 80;
constexpr std::uint16_t kBackendPort = 8080;

class Service : public testing::Test {
 protected:
  Service() {
    node.set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
    node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1");
    const std::string rewrite = "ip daddr " + kServiceAddress.str() + " tcp dport 80 dnat to " +
                                backend.address.str() + ":8080";
    node.must_run({"nft",
                   "table ip proxy {"
                   " chain by_pods { type nat hook prerouting priority dstnat; " +
                       rewrite +
                       "; };"
                       " chain by_node { type nat hook output priority -100; " +
                       rewrite +
                       "; };"
                       " chain hairpin { type nat hook postrouting priority srcnat;"
                       " ct status dnat ip saddr " +
                       backend.address.str() + " ip daddr " + backend.address.str() +
                       " masquerade; };"
                       " chain strict { type filter hook forward priority 0;"
                       " ct state invalid drop; };"
                       "}"});
    node.must_run({"ip", "route", "add", kServiceAddress.str() + "/32", "dev", "cni0"});
  }

  Result<> call_from(const NetNs& from, std::uint64_t bytes = 4 << 20) {
    return TcpTransfer({.client = from,
                        .server = backend.netns,
                        .to = kServiceAddress,
                        .port = kServicePort,
                        .server_port = kBackendPort,
                        .bytes = bytes,
                        .deadline = std::chrono::seconds(10)})
        .finish();
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod client = node.add_pod("client");
  Pod backend = node.add_pod("backend");
};

TEST_F(Service, IsReachedByAPodOfTheSameNodeByEbpfAfterTheHandshake) {
  const auto before = node.counters();

  EXPECT_TRUE(ok(call_from(client.netns)));

  const auto after = node.counters();
  EXPECT_EQ(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 0u) << growth(before, after);
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TRANSLATED_TO_POD), 50u) << growth(before, after);
  EXPECT_GT(grown(before, after, KUBECNI_PASS_HANDSHAKE), 0u) << growth(before, after);
  EXPECT_LT(grown(before, after, KUBECNI_KERNEL_TO_POD), 20u) << growth(before, after);
}

TEST_F(Service, IsReachedAfterTheClientTalkedToTheBackendDirectly) {
  ASSERT_TRUE(ok(tcp_transfer(client.netns, backend.netns, backend.address)));

  EXPECT_TRUE(ok(call_from(client.netns)));
}

TEST_F(Service, LeavesDirectTrafficOfTheSamePodsToEbpf) {
  ASSERT_TRUE(ok(call_from(client.netns)));
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(client.netns, backend.netns, backend.address)));

  const auto after = node.counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 0u) << growth(before, after);
  EXPECT_EQ(grown(before, after, KUBECNI_PASS_KERNEL_FLOW), 0u) << growth(before, after);
}

TEST_F(Service, IsReachedByTheNode) { EXPECT_TRUE(ok(call_from(node.netns))); }

TEST_F(Service, IsReachedByItsOwnBackend) { EXPECT_TRUE(ok(call_from(backend.netns))); }

}  // namespace
}  // namespace kubecni::test
