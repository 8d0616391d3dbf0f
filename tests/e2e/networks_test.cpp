// Two networks of one node may have the same subnet and the same addresses. Packets stay in their
// network, and eBPF carries both.

#include "expect.hpp"
#include "support/traffic.hpp"

#include <net/if.h>

namespace kubecni::test {
namespace {

const nlohmann::json kSecond{{"name", "second"}, {"bridge", "second0"}};

class TwoNetworks : public testing::Test {
 protected:
  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod client = node.add_pod("client");
  Pod server = node.add_pod("server");
  Pod second_client = node.add_pod("client2", kSecond);
  Pod second_server = node.add_pod("server2", kSecond);
};

TEST_F(TwoNetworks, OfTheSameAddressesEachKeepItsOwnTraffic) {
  ASSERT_EQ(client.address, second_client.address);
  ASSERT_EQ(server.address, second_server.address);
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(client.netns, server.netns, server.address, 1 << 20)));
  EXPECT_TRUE(ok(tcp_transfer(second_client.netns, second_server.netns, server.address, 1 << 20)));

  EXPECT_GT(node.counters()[KUBECNI_FAST_TO_LOCAL_POD].bytes,
            before[KUBECNI_FAST_TO_LOCAL_POD].bytes + (2 << 20))
      << "both by eBPF";
}

TEST_F(TwoNetworks, FrameForAPodOnTheOtherBridgeIsNotDelivered) {
  const Pod alone = node.add_pod("alone", kSecond);
  const auto link =
      nlohmann::json::parse(Node::must_run_in(alone.netns, {"ip", "-j", "link", "show", "eth0"}));
  const std::string mac = link[0]["address"];
  Node::must_run_in(client.netns, {"ip", "neigh", "replace", alone.address.str(), "lladdr", mac,
                                   "nud", "permanent", "dev", "eth0"});
  const auto before = node.counters();

  EXPECT_FALSE(ping(client.netns, alone.address));

  EXPECT_EQ(node.counters()[KUBECNI_FAST_TO_LOCAL_POD].packets,
            before[KUBECNI_FAST_TO_LOCAL_POD].packets);
  EXPECT_TRUE(ok(ping(second_client.netns, alone.address))) << "its neighbour reaches it";
}

TEST_F(TwoNetworks, DelOfOnePodLeavesThatOfTheSameAddressAlone) {
  EXPECT_TRUE(ok(node.cni("DEL", second_server, kSecond)));

  EXPECT_TRUE(must(node.dataplane().pods.endpoints.endpoints().find(node.endpoint_key(server))));
  EXPECT_TRUE(ok(ping(client.netns, server.address)));
}

TEST_F(TwoNetworks, DelAfterTheBridgeIsGoneTakesOnlyItsOwnEntries) {
  node.must_run({"ip", "link", "del", "second0"});

  EXPECT_TRUE(ok(node.cni("DEL", second_client, kSecond)));
  EXPECT_TRUE(ok(node.cni("DEL", second_server, kSecond)));

  EXPECT_EQ(must(node.dataplane().pods.endpoints.endpoints().entries()).size(), 2u);
  EXPECT_TRUE(ok(ping(client.netns, server.address)));
}

}  // namespace
}  // namespace kubecni::test
