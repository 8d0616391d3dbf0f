// A UDP client of a hostPort keeps sending from the same port, while another pod replaces the one
// behind it. Connection tracking would keep sending its packets to the first pod's address.

#include "expect.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kHostPort = 5353;
constexpr std::uint16_t kPodPort = 7000;
const IpAddr kNode = IpAddr::v4({192, 0, 2, 1});

class StaleFlow : public testing::TestWithParam<const char*> {
 protected:
  StaleFlow() {
    node.must_run({"sh", "-ec",
                   "ip link add eth0 type veth peer name eth0 netns outside;"
                   "ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up"});
    Node::must_run_in(outside,
                      {"sh", "-ec", "ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up"});
    node.set_sysctl("net/ipv4/ip_forward", "1");
  }

  void map_port_to(const Pod& pod) {
    node.must_run({"nft",
                   "add table ip hostport; delete table ip hostport; table ip hostport {"
                   " chain in { type nat hook prerouting priority dstnat;"
                   " ip daddr 192.0.2.1 udp dport 5353 dnat to " +
                       pod.address.str() + ":7000; }; }"});
  }

  Result<Datagram> call(const Pod& pod) {
    const UdpSocket server(pod.netns, AF_INET, kPodPort);
    return ask(client, server, kNode, kHostPort, "hello");
  }

  std::string flows() { return node.must_run({"cat", "/proc/net/nf_conntrack"}); }

  Node node{"node", "10.200.0.0/24", GetParam()};
  NetNs outside{"outside"};
  UdpSocket client{outside, AF_INET, 40000};
};

TEST_P(StaleFlow, RemovedPodIsReplacedByTheNextOne) {
  Pod first = node.add_pod("first");
  map_port_to(first);
  ASSERT_TRUE(call(first));

  ASSERT_TRUE(ok(node.cni("DEL", first)));
  const Pod second = node.add_pod("second");
  ASSERT_NE(second.address, first.address);
  map_port_to(second);

  const auto answered = call(second);
  EXPECT_TRUE(answered) << answered.error().what << "\n" << flows();
}

TEST_P(StaleFlow, LivingPodKeepsItsFlow) {
  const Pod stays = node.add_pod("stays");
  const Pod goes = node.add_pod("goes");
  map_port_to(stays);
  ASSERT_TRUE(call(stays));
  map_port_to(goes);

  ASSERT_TRUE(ok(node.cni("DEL", goes)));

  EXPECT_THAT(flows(), testing::HasSubstr("src=" + stays.address.str())) << flows();
}

TEST_P(StaleFlow, IsForgottenAlsoByGc) {
  const Pod pod = node.add_pod("pod");
  map_port_to(pod);
  ASSERT_TRUE(call(pod));

  CniCall gc = node.call_for("GC", pod);
  gc.input = node.conf({{"cni.dev/valid-attachments", nlohmann::json::array()}}).dump();
  ASSERT_TRUE(ok(node.call(gc)));

  EXPECT_THAT(flows(), testing::Not(testing::HasSubstr("src=" + pod.address.str()))) << flows();
}

INSTANTIATE_TEST_SUITE_P(Paths, StaleFlow, testing::Values("ebpf", "bridge"),
                         [](const auto& path) { return std::string(path.param); });

}  // namespace
}  // namespace kubecni::test
