// "uplink": pods in a network outside of the node, on layer 2. The uplink is a NIC of the node, or
// a VLAN sub-interface of one. The network has a router and a host; two nodes have pods in it.

#include "base/file.hpp"
#include "devices.hpp"
#include "paths.hpp"
#include "support/capture.hpp"
#include "support/eventually.hpp"
#include "support/ip.hpp"
#include "support/packet.hpp"
#include "support/program.hpp"
#include "support/temp_dir.hpp"
#include "support/traffic.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <ranges>
#include <sstream>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct UplinkMode {
  bool is_tagged;
  std::string dataplane;

  [[nodiscard]] std::string name() const { return (is_tagged ? "tagged_" : "plain_") + dataplane; }
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

void ip(const NetNs& netns, const std::string& arguments) {
  Node::must_run_in(netns, words("ip " + arguments));
}

std::string address_in(int family, unsigned number) {
  return family == AF_INET ? "198.18.0." + std::to_string(number)
                           : "2001:db8:100::" + std::to_string(number);
}

/// The node's part of the network: 16 addresses of each family. Its router is .1.
json ranges_from(unsigned first) {
  json sets = json::array();
  for (const int family : {AF_INET, AF_INET6})
    sets.push_back({{{"subnet", family == AF_INET ? "198.18.0.0/24" : "2001:db8:100::/64"},
                     {"rangeStart", address_in(family, first)},
                     {"rangeEnd", address_in(family, first + 15)},
                     {"gateway", address_in(family, 1)}}});
  return sets;
}

/// The network configuration with the uplink.
json network_by(const std::string& uplink, unsigned first) {
  return {{"subnet", nullptr},
          {"network", nullptr},
          {"bridge", "lan0"},
          {"uplink", uplink},
          {"ipam", {{"ranges", ranges_from(first)}}}};
}

class UplinkTest : public testing::TestWithParam<UplinkMode> {
 protected:
  void SetUp() override {
    if (GetParam().is_tagged && !can_make("link lan1 name lan1.100 type vlan id 100"))
      GTEST_SKIP() << "this kernel has no 802.1Q; tools/kernels tests it on 6.12";
    cluster.emplace(ClusterOptions{.dataplane = GetParam().dataplane,
                                   .families = Families::kDual,
                                   .daemon_options = {"--policy-file", policies.string()},
                                   .patience = kPatience});
    const std::string nic = connect(router, {"198.18.0.1/24", "2001:db8:100::1/64"});
    for (const char* outside : {"203.0.113.7/32", "2001:db8:200::7/128"})
      ip(router, std::string("addr add ") + outside + " dev lo");
    connect(host, {"198.18.0.9/24", "2001:db8:100::9/64"});
    for (const Node* node : {&cluster->a, &cluster->b}) EXPECT_EQ(connect(node->netns, {}), nic);
    uplink = nic;
    add(cluster->a, a1, 16);
    add(cluster->a, a2, 16);
    add(cluster->b, b1, 32);
  }

  /// Connects the namespace to the network. Result: the device that it has there.
  std::string connect(const NetNs& netns, const std::vector<std::string>& addresses) {
    if (!GetParam().is_tagged) {
      lan.connect(netns, addresses, "eth1");
      return "eth1";
    }
    lan.connect(netns, {}, "eth1");
    make_vlan(netns);
    for (const std::string& address : addresses)
      ip(netns, "addr add " + address + " dev eth1.100 nodad");
    return "eth1.100";
  }
  static void make_vlan(const NetNs& netns) {
    ip(netns, "link add link eth1 name eth1.100 type vlan id 100");
    ip(netns, "link set eth1.100 up");
  }

  [[nodiscard]] CniCall call_for(const std::string& verb, const Node& node, const Pod& pod,
                                 unsigned first) const {
    CniCall call = node.call_for(verb, pod, network_by(uplink, first));
    std::ranges::replace(
        call.env, std::string("CNI_ARGS="),
        "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=x;K8S_POD_NAME=" + pod.container_id);
    return call;
  }
  void add(const Node& node, Pod& pod, unsigned first) const {
    const auto answer = node.call(call_for("ADD", node, pod, first));
    ASSERT_TRUE(ok(answer));
    for (const json& found : answer.json["ips"])
      pod.addresses.push_back(net(found["address"].get<std::string>()).addr);
    pod.address = pod.addresses.at(0);
  }

  [[nodiscard]] bool reach_each_other(const NetNs& one, const IpAddr& other) const {
    return eventually(
        [&] { return ping(one, other, std::nullopt, std::chrono::milliseconds(500)).has_value(); });
  }
  [[nodiscard]] std::string mac_of(const Pod& pod) const {
    return cluster->a.attachment(pod).port.pod_mac.str();
  }

  TempDir folder;
  std::filesystem::path policies = [this] {
    must(
        write_file_atomically(folder.path() / "policies.json", R"({"kind": "List", "items": []})"));
    return folder.path() / "policies.json";
  }();
  std::optional<Cluster> cluster;  ///< made in SetUp(), since it takes seconds
  Wire lan{"lan"};
  NetNs router{"lan-router"};
  NetNs host{"lan-host"};
  std::string uplink;
  Pod a1{"a1"}, a2{"a2"}, b1{"b1"};
};

TEST_P(UplinkTest, PodsAreInTheNetworkBehindIt) {
  for (const int family : {AF_INET, AF_INET6}) {
    const auto among_pods = [&] {
      EXPECT_TRUE(ok(tcp_transfer(a1.netns, a2.netns, a2.address_of(family))));
    };
    cluster->a.is_ebpf() ? expect_on_ebpf(cluster->a, 10, among_pods) : among_pods();

    EXPECT_TRUE(ok(tcp_transfer(a1.netns, b1.netns, b1.address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(b1.netns, a1.netns, a1.address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(a1.netns, host, addr(address_in(family, 9)))));
    EXPECT_TRUE(ok(tcp_transfer(host, a1.netns, a1.address_of(family))));

    const IpAddr outside = addr(family == AF_INET ? "203.0.113.7" : "2001:db8:200::7");
    TcpConnection by_router({.client = a1.netns, .server = router, .to = outside});
    EXPECT_TRUE(ok(by_router.client_sends()));
    EXPECT_EQ(by_router.client_address(), a1.address_of(family)) << "nobody translates it";
  }
  EXPECT_THAT(cluster->a.must_run(words("ip addr show dev lan0")), Not(HasSubstr("scope global")))
      << "the node is no router there";
}

TEST_P(UplinkTest, TheNodeIsNoHostOfTheNetwork) {
  ASSERT_TRUE(eventually([&] { return is_guarded(cluster->a, a1); }, kPatience));
  const auto mac = [](const NetNs& netns, const std::string& device) {
    const auto link = json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", device}));
    return link[0]["address"].get<std::string>();
  };
  // Each knows the other's MAC, and the node's way back is there.
  ip(host, "route add 192.0.2.1/32 dev " + uplink);
  ip(host, "neigh add 192.0.2.1 dev " + uplink + " lladdr " + mac(cluster->a.netns, "lan0"));
  ip(cluster->a.netns, "route add 198.18.0.9/32 dev lan0");
  ip(cluster->a.netns, "neigh add 198.18.0.9 dev lan0 lladdr " + mac(host, uplink));

  EXPECT_FALSE(ping(host, addr("192.0.2.1"), std::nullopt, std::chrono::milliseconds(500)));

  cluster->daemon_a->signal(SIGKILL);
  cluster->daemon_a->wait();
  cluster->a.must_run(words("nft delete table bridge kube-cni"));
  EXPECT_TRUE(reach_each_other(host, addr("192.0.2.1"))) << "it was the guard";
}

TEST_P(UplinkTest, PodCannotSpeakForTheRouter) {
  ASSERT_TRUE(eventually([&] { return is_guarded(cluster->a, a1); }, kPatience));
  const std::string own = mac_of(a1);
  const json nic = json::parse(Node::must_run_in(router, {"ip", "-j", "link", "show", uplink}));
  const std::string its = nic[0]["address"];
  for (const int family : {AF_INET, AF_INET6})
    ASSERT_TRUE(reach_each_other(host, addr(address_in(family, 1))));
  const auto claims = [&](const std::string& mac) -> std::vector<Frame> {
    return {arp_packet({.src_mac = mac,
                        .operation = 2,
                        .sender_mac = own,
                        .sender_ip = "198.18.0.1",
                        .target_mac = own,
                        .target_ip = "198.18.0.1"}),
            nd_message({.dst_mac = "33:33:00:00:00:01",
                        .src_mac = mac,
                        .src = "2001:db8:100::1",
                        .dst = "ff02::1",
                        .type = 136,
                        .target = "2001:db8:100::1",
                        .options = {{.type = 2, .mac = own}}}),
            ip_packet({.dst_mac = "ff:ff:ff:ff:ff:ff",
                       .src_mac = mac,
                       .src = "198.18.0.1",
                       .dst = "198.18.0.9"})};
  };
  Capture seen(host, uplink);

  for (const std::string& mac : {own, its})
    for (const Frame& frame : claims(mac)) send_frame(a1.netns, "eth0", frame);

  ASSERT_TRUE(reach_each_other(a1.netns, addr(address_in(AF_INET, 9)))) << "it comes last";
  for (const WireFrame& frame : seen.frames()) {
    EXPECT_FALSE(frame.outer.src == addr("198.18.0.1") && frame.outer.src_mac.str() == own)
        << frame.str();
    for (const std::string& mac : {own, its})
      for (const Frame& claim : claims(mac))
        EXPECT_FALSE(std::ranges::equal(frame.bytes | std::views::take(claim.size()), claim))
            << frame.str();
  }
  for (const int family : {AF_INET, AF_INET6})
    EXPECT_THAT(Node::must_run_in(host, {"ip", "neigh", "show", address_in(family, 1)}),
                HasSubstr(its));
}

// A frame that comes back from the network, or that somebody forged there.
TEST_P(UplinkTest, FramesWithThePodsMacDoNotMoveItAway) {
  ASSERT_TRUE(reach_each_other(a1.netns, addr(address_in(AF_INET, 9))));

  send_frame(host, uplink, ethernet_frame("ff:ff:ff:ff:ff:ff", mac_of(a1), 0x88b5, 46));

  EXPECT_TRUE(ok(ping(a1.netns, addr(address_in(AF_INET, 9)))));
  EXPECT_TRUE(ok(ping(host, a1.address_of(AF_INET6))));
}

TEST_P(UplinkTest, ComesBackToTheBridge) {
  const auto expect_back = [&] {
    for (const int family : {AF_INET, AF_INET6})
      EXPECT_TRUE(eventually(
          [&] {
            return ping(a1.netns, addr(address_in(family, 9)), std::nullopt,
                        std::chrono::milliseconds(500))
                .has_value();
          },
          kPatience))
          << cluster->daemon_a->err();
  };

  ip(cluster->a.netns, "link set " + uplink + " nomaster");
  expect_back();

  ip(cluster->a.netns, "link del lan0");
  expect_back();

  ip(cluster->a.netns, "link del " + uplink);
  EXPECT_TRUE(eventually(
      [&] { return cluster->daemon_a->err().contains("the node has no device " + uplink); },
      kPatience));
  GetParam().is_tagged ? make_vlan(cluster->a.netns)
                       : void(lan.connect(cluster->a.netns, {}, "eth1"));
  expect_back();
}

// Bridged packets between a pod and the network meet the policies, in both directions.
TEST_P(UplinkTest, PoliciesHoldTowardsTheNetwork) {
  const auto object_of = [](const Pod& pod) {
    json object{
        {"kind", "Pod"},
        {"metadata",
         {{"name", pod.container_id}, {"namespace", "x"}, {"labels", {{"app", pod.container_id}}}}},
        {"status", {{"podIPs", json::array()}}}};
    for (const IpAddr& address : pod.addresses)
      object["status"]["podIPs"].push_back({{"ip", address.str()}});
    return object;
  };
  json peers = json::array();
  for (const int family : {AF_INET, AF_INET6})
    peers.push_back(
        {{"ipBlock", {{"cidr", address_in(family, 9) + (family == AF_INET ? "/32" : "/128")}}}});
  const json policy{{"kind", "NetworkPolicy"},
                    {"metadata", {{"name", "only-host"}, {"namespace", "x"}}},
                    {"spec",
                     {{"podSelector", {{"matchLabels", {{"app", "a1"}}}}},
                      {"policyTypes", {"Ingress", "Egress"}},
                      {"ingress", {{{"from", peers}}}},
                      {"egress", {{{"to", peers}}}}}}};
  const json space{{"kind", "Namespace"}, {"metadata", {{"name", "x"}}}};
  for (const int family : {AF_INET, AF_INET6}) {
    ASSERT_TRUE(reach_each_other(router, a1.address_of(family)));
    ASSERT_TRUE(reach_each_other(a1.netns, addr(address_in(family, 1))));
  }

  must(write_file_atomically(
      policies, json{{"kind", "List"},
                     {"items", {space, object_of(a1), object_of(a2), object_of(b1), policy}}}
                    .dump()));

  constexpr std::chrono::milliseconds kShort{500};
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr own = a1.address_of(family);
    const IpAddr gateway = addr(address_in(family, 1));
    EXPECT_TRUE(eventually([&] { return !ping(router, own, std::nullopt, kShort); }, kPatience));
    EXPECT_FALSE(ping(a1.netns, gateway, std::nullopt, kShort));
    EXPECT_FALSE(ping(b1.netns, own, std::nullopt, kShort));
    EXPECT_FALSE(ping(a2.netns, own, std::nullopt, kShort));
    EXPECT_TRUE(ok(tcp_transfer(host, a1.netns, own)));
    EXPECT_TRUE(ok(tcp_transfer(a1.netns, host, addr(address_in(family, 9)))));
    EXPECT_TRUE(reach_each_other(router, a2.address_of(family))) << "no policy selects it";
  }

  // A pod that asks for an address is heard in the network, and by no pod that has a policy.
  const auto asks = [](const WireFrame& frame) { return frame.outer.dst_port == 67; };
  Capture seen(router, uplink), by_a1(a1.netns, "eth0");
  send_frame(a2.netns, "eth0",
             ip_packet({.dst_mac = "ff:ff:ff:ff:ff:ff",
                        .src_mac = mac_of(a2),
                        .src = "0.0.0.0",
                        .dst = "255.255.255.255",
                        .src_port = 68,
                        .dst_port = 67}));
  EXPECT_TRUE(eventually([&] { return std::ranges::any_of(seen.frames(), asks); }));
  EXPECT_TRUE(!cluster->a.is_ebpf() || std::ranges::none_of(by_a1.frames(), asks));
}

INSTANTIATE_TEST_SUITE_P(Networks, UplinkTest,
                         testing::Values(UplinkMode{false, "ebpf"}, UplinkMode{false, "bridge"},
                                         UplinkMode{true, "ebpf"}, UplinkMode{true, "bridge"}),
                         [](const auto& tested) { return tested.param.name(); });

/// A node with NICs that it does not use, and no daemon.
class UplinkOfANode : public testing::Test {
 protected:
  UplinkOfANode() {
    for (const char* nic : {"eth1", "eth2"}) lan.connect(node.netns, {}, nic);
  }
  [[nodiscard]] CniAnswer call(const std::string& verb,
                               const json& changes = json::object()) const {
    json conf = network_by("eth1", 16);
    conf.update(changes);
    return node.cni(verb, pod, conf);
  }
  [[nodiscard]] std::string bridge_of(const std::string& nic) const {
    return json::parse(node.must_run({"ip", "-j", "link", "show", nic}))[0].value("master", "");
  }

  Wire lan{"lan"};
  Node node{"node", "10.200.0.0/24", "bridge"};
  Pod pod{"pod"};
};

TEST_F(UplinkOfANode, IsRefusedWhereTheNodeNeedsItOrItIsAnothers) {
  ip(node.netns, "link add br0 type bridge");
  const auto expect_refused = [&](const json& changes, unsigned code, const std::string& phrase) {
    EXPECT_TRUE(failed(call("ADD", changes), code, phrase));
    EXPECT_EQ(bridge_of("eth1"), changes.value("is_port_of", ""));
  };

  expect_refused({{"uplink", "eth7"}}, 11, "the node has no device eth7");
  expect_refused({{"uplink", "br0"}}, 7, "is a bridge");
  expect_refused({{"isGateway", true}}, 7, "contradict");
  expect_refused({{"ipam", nullptr}}, 7, "which addresses of the network behind eth1");
  expect_refused({{"mtu", 9000}}, 7, "is more than uplink eth1 has, 1500");
  ip(node.netns, "addr add 192.0.2.1/24 dev eth1");
  expect_refused(json::object(), 7, "uplink eth1 has the address 192.0.2.1/24");
  ip(node.netns, "addr flush dev eth1");
  ip(node.netns, "route add default dev eth1");
  expect_refused(json::object(), 7, "route to 0.0.0.0/0 is by uplink eth1");
  ip(node.netns, "route del default");
  ip(node.netns, "link set eth1 master br0");
  expect_refused({{"is_port_of", "br0"}}, 7, "uplink eth1 belongs to br0 already");
}

TEST_F(UplinkOfANode, StatusSaysThatItIsMissing) {
  EXPECT_TRUE(ok(call("STATUS")));
  EXPECT_TRUE(failed(call("STATUS", {{"uplink", "eth7"}}), 50, "the node has no device eth7"));
}

TEST_F(UplinkOfANode, IsTheOnlyOneOfItsBridge) {
  ASSERT_TRUE(ok(call("ADD")));
  const Pod other("other");

  const auto second = node.cni("ADD", other, network_by("eth2", 16));

  EXPECT_TRUE(failed(second, 7, "bridge lan0 has the uplink eth1, and eth2 would join both"));
  EXPECT_EQ(bridge_of("eth2"), "");
}

TEST_F(UplinkOfANode, DoesNotJoinItsNetworkWithThatOfOtherPods) {
  ASSERT_TRUE(ok(node.cni("ADD", Pod("other"), {{"bridge", "lan0"}})));

  EXPECT_TRUE(failed(call("ADD"), 7, "bridge lan0 has the address 10.200.0.1/24"));

  EXPECT_EQ(bridge_of("eth1"), "");
}

TEST_F(UplinkOfANode, DecidesTheMtuOfPods) {
  ip(node.netns, "link set eth1 mtu 1400");

  ASSERT_TRUE(ok(call("ADD")));

  EXPECT_THAT(Node::must_run_in(pod.netns, words("ip link show eth0")), HasSubstr("mtu 1400"));
}

TEST_F(UplinkOfANode, ConnectsASecondInterface) {
  NetNs host("lan-host");
  lan.connect(host, {"198.18.0.9/24", "2001:db8:100::9/64"}, "eth1");
  ASSERT_TRUE(ok(node.cni("ADD", pod)));
  pod.ifname = "net1";

  ASSERT_TRUE(ok(call("ADD", {{"name", "lan"}})));

  for (const int family : {AF_INET, AF_INET6})
    EXPECT_TRUE(ok(ping(pod.netns, addr(address_in(family, 9)))));
  EXPECT_THAT(Node::must_run_in(pod.netns, words("ip route get 203.0.113.7")),
              HasSubstr(" via 10.200.0.1 dev eth0 "));

  ASSERT_TRUE(ok(call("DEL", {{"name", "lan"}})));
  EXPECT_TRUE(ok(ping(pod.netns, node.gateway())));
}

TEST_F(UplinkOfANode, ThatIsOutOfTheBridgeIsSaidByCheckAndPutBackByAdd) {
  const auto added = call("ADD");
  ASSERT_TRUE(ok(added));
  ip(node.netns, "link set eth1 nomaster");

  EXPECT_THAT(call("CHECK", {{"prevResult", added.json}}).err,
              HasSubstr("uplink eth1 is not a port of bridge lan0"));

  const Pod other("other");
  EXPECT_TRUE(ok(node.cni("ADD", other, network_by("eth1", 16))));
  EXPECT_EQ(bridge_of("eth1"), "lan0");
}

TEST_F(UplinkOfANode, IsGivenBackByCleanup) {
  ASSERT_TRUE(ok(call("ADD")));
  ASSERT_TRUE(ok(call("DEL")));
  ASSERT_EQ(bridge_of("eth1"), "lan0");

  const auto cleaned =
      run({.argv = {program("kube-cnid"), "cleanup", "--state-dir", node.state_dir(), "--run-dir",
                    node.run_dir(), "--bpffs", node.bpffs()},
           .netns_fd = node.netns.fd()});

  EXPECT_EQ(cleaned.status, 0) << cleaned.out << cleaned.err;
  EXPECT_EQ(bridge_of("eth1"), "");
  EXPECT_THAT(node.must_run({"ip", "-br", "link"}), Not(HasSubstr("lan0")));
}

}  // namespace
}  // namespace kubecni::test
