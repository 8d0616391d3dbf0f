// The protection against a pod on the kernel path without a daemon and without eBPF: the settings
// of its port and of the bridge, and permanent neighbours.

#include "expect.hpp"
#include "support/capture.hpp"
#include "support/node_state.hpp"
#include "support/packet.hpp"
#include "support/traffic.hpp"
#include "support/udp.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::chrono::milliseconds kSoon{300};

std::string mac_of(const NetNs& netns, const std::string& link) {
  return json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))[0]["address"];
}

class PodPortTest : public testing::Test {
 protected:
  /// The output of `ip neigh` for the address.
  static std::string neighbour(const NetNs& netns, const IpAddr& addr) {
    return Node::must_run_in(netns, {"ip", "neigh", "show", addr.str()});
  }
  static void sh(const NetNs& netns, const std::string& command) {
    Node::must_run_in(netns, {"sh", "-ec", command});
  }
  [[nodiscard]] std::string host_end(const Pod& pod) const {
    return node.attachment(pod).port.host_ifname;
  }

  Node node{"node", std::vector<std::string>{"10.200.0.0/24", "fd00:10::/64"}, "bridge"};
  Pod bad = node.add_pod("bad");
  Pod victim = node.add_pod("victim");
};

TEST_F(PodPortTest, AMacThatIsNotThePodsOwnIsDropped) {
  const UdpSocket receiver(victim.netns, AF_INET, 7000);
  const std::string bridge = mac_of(node.netns, "cni0");
  const std::string own = mac_of(bad.netns, "eth0");
  const auto send_from = [&](const std::string& mac) {
    send_frame(bad.netns, "eth0",
               ip_packet({.dst_mac = mac_of(victim.netns, "eth0"),
                          .src_mac = mac,
                          .src = bad.address.str(),
                          .dst = victim.address.str(),
                          .dst_port = 7000}));
    return receiver.receive(kSoon).has_value();
  };

  ASSERT_TRUE(send_from(own));
  for (const std::string& mac :
       {bridge, mac_of(victim.netns, "eth0"), std::string("02:00:00:00:00:77")})
    EXPECT_FALSE(send_from(mac)) << mac;

  EXPECT_TRUE(ok(ping(victim.netns, node.gateway(AF_INET))));
}

TEST_F(PodPortTest, TheNodeBelievesNobodyAboutItsPods) {
  const std::string own = mac_of(bad.netns, "eth0");
  for (const std::uint16_t operation : {std::uint16_t{1}, std::uint16_t{2}})
    send_frame(bad.netns, "eth0",
               arp_packet({.src_mac = own,
                           .operation = operation,
                           .sender_mac = own,
                           .sender_ip = victim.address.str(),
                           .target_ip = node.gateway(AF_INET).str()}));
  for (const IpAddr& address :
       {victim.address_of(AF_INET6), node.attachment(victim).port.pod_mac.link_local()})
    send_frame(bad.netns, "eth0",
               nd_message({.dst_mac = mac_of(node.netns, "cni0"),
                           .src_mac = own,
                           .src = address.str(),
                           .dst = node.gateway(AF_INET6).str(),
                           .type = 136,
                           .target = address.str(),
                           .options = {{.type = 2, .mac = own}}}));

  EXPECT_TRUE(ok(ping(bad.netns, node.gateway(AF_INET)))) << "all before has been taken";
  for (const IpAddr& address : {victim.address_of(AF_INET), victim.address_of(AF_INET6),
                                node.attachment(victim).port.pod_mac.link_local()}) {
    EXPECT_THAT(neighbour(node.netns, address), HasSubstr(mac_of(victim.netns, "eth0")));
    EXPECT_THAT(neighbour(node.netns, address), HasSubstr("PERMANENT"));
  }
}

TEST_F(PodPortTest, APodBelievesNobodyAboutItsGateways) {
  const std::string own = mac_of(bad.netns, "eth0");
  send_frame(bad.netns, "eth0",
             arp_packet({.dst_mac = mac_of(victim.netns, "eth0"),
                         .src_mac = own,
                         .operation = 2,
                         .sender_mac = own,
                         .sender_ip = node.gateway(AF_INET).str(),
                         .target_ip = victim.address.str()}));

  EXPECT_TRUE(ok(ping(bad.netns, victim.address))) << "all before has been taken";
  for (const int family : {AF_INET, AF_INET6}) {
    EXPECT_THAT(neighbour(victim.netns, node.gateway(family)),
                HasSubstr(mac_of(node.netns, "cni0")));
    EXPECT_THAT(neighbour(victim.netns, node.gateway(family)), HasSubstr("PERMANENT"));
  }
}

TEST_F(PodPortTest, AQueryOfAPodDoesNotEndNeighbourDiscovery) {
  // Some kernels' snooping expires after minutes; here after a tenth of a second.
  sh(node.netns,
     "ip link set cni0 type bridge mcast_membership_interval 10 mcast_query_response_interval 10"
     " mcast_last_member_interval 10");
  sh(bad.netns, "ip -6 neigh flush dev eth0 nud reachable");
  const std::string own = mac_of(bad.netns, "eth0");
  const IpAddr link_local = node.attachment(bad).port.pod_mac.link_local();
  Frame query = nd_message({.dst_mac = "33:33:00:00:00:01",
                            .src_mac = own,
                            .src = link_local.str(),
                            .dst = "ff02::1",
                            .type = 130,
                            .target = "::"});
  for (int i = 0; i < 3; ++i) send_frame(bad.netns, "eth0", query);
  // This waits for something that must not happen.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));

  EXPECT_TRUE(ok(ping(bad.netns, victim.address_of(AF_INET6))));
  EXPECT_THAT(node.must_run({"ip", "-d", "link", "show", "cni0"}), HasSubstr("mcast_snooping 0"));
  EXPECT_THAT(node.must_run({"ip", "-d", "link", "show", host_end(bad)}),
              HasSubstr("mcast_router 0"));
}

TEST_F(PodPortTest, NothingIsLeftOfAPodsNeighbours) {
  ASSERT_THAT(node.must_run({"ip", "neigh", "show", "proto", "84"}), HasSubstr(bad.address.str()));

  ASSERT_TRUE(ok(node.cni("DEL", bad)));
  ASSERT_TRUE(ok(node.cni("DEL", victim)));

  EXPECT_EQ(node.must_run({"ip", "neigh", "show", "proto", "84"}), "");
}

TEST_F(PodPortTest, ThatOfADeadPodIsReplacedByTheNextWithItsAddress) {
  node.must_run({"ip", "link", "del", host_end(victim)});
  bad.netns.remove();
  Pod next("next");
  const json same{
      {"runtimeConfig", {{"ips", {victim.address.str()}}, {"mac", "02:11:22:33:44:55"}}}};
  victim.netns.remove();

  // Frees addresses of dead pods.
  ASSERT_TRUE(ok(node.cni("ADD", next, same)));

  EXPECT_THAT(neighbour(node.netns, victim.address), HasSubstr("02:11:22:33:44:55"));
}

TEST(AdoptedBridge, KeepsItsMacAndLosesItsSnooping) {
  const Node node("node", "10.200.0.0/24", "bridge");
  node.must_run({"ip", "link", "add", "cni0", "type", "bridge"});
  node.must_run({"ip", "link", "add", "early", "type", "veth", "peer", "name", "far"});
  node.must_run({"ip", "link", "set", "early", "address", "02:ff:00:00:00:01", "master", "cni0"});
  const std::string mac = mac_of(node.netns, "cni0");

  // Their host ends' MACs are lower than the bridge's.
  const Pod one = node.add_pod("one");
  const Pod two = node.add_pod("two");
  node.must_run({"ip", "link", "del", "early"});

  EXPECT_EQ(mac_of(node.netns, "cni0"), mac);
  EXPECT_THAT(node.must_run({"ip", "-d", "link", "show", "cni0"}), HasSubstr("mcast_snooping 0"));
  EXPECT_TRUE(ok(ping(one.netns, node.gateway())));
  EXPECT_TRUE(ok(ping(one.netns, two.address)));
  for (const Pod* pod : {&one, &two})
    EXPECT_THAT(node.must_run({"ip", "neigh", "show", pod->address.str()}), HasSubstr("PERMANENT"));
}

TEST(RemadeBridge, GetsTheMacThatPodsKnow) {
  const Node node("node", "10.200.0.0/24", "bridge");
  node.must_run({"ip", "link", "add", "cni0", "address", "02:ff:00:00:00:01", "type", "bridge"});
  const Pod one = node.add_pod("one");
  node.must_run({"ip", "link", "del", "cni0"});

  const Pod two = node.add_pod("two");

  EXPECT_EQ(mac_of(node.netns, "cni0"), "02:ff:00:00:00:01");
}

TEST(RemadeBridge, OfSomebodyElseGetsTheMacThatPodsKnow) {
  const Node node("node", "10.200.0.0/24", "bridge");
  const Pod one = node.add_pod("one");
  const std::string known = mac_of(node.netns, "cni0");
  node.must_run({"ip", "link", "del", "cni0"});
  node.must_run({"ip", "link", "add", "cni0", "type", "bridge"});

  const Pod two = node.add_pod("two");

  EXPECT_EQ(mac_of(node.netns, "cni0"), known);
}

}  // namespace
}  // namespace kubecni::test
