// A runtime's requests for one pod: its address and its MAC.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class Requests : public testing::Test {
 protected:
  /// ADD with `cni_args` as CNI_ARGS.
  CniAnswer add(const json& changes, const std::string& cni_args = "") {
    CniCall call = node.call_for("ADD", pod, changes);
    std::erase_if(call.env, [](const auto& entry) { return entry.starts_with("CNI_ARGS="); });
    call.env.push_back("CNI_ARGS=" + cni_args);
    return node.call(call);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
};

struct Place {
  const char* name;
  json changes;
  const char* args;
};
class AddressPlaces : public Requests, public testing::WithParamInterface<Place> {};

TEST_P(AddressPlaces, AreHeeded) {
  const auto answer = add(GetParam().changes, GetParam().args);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["ips"][0]["address"], "10.200.0.77/24");
}

INSTANTIATE_TEST_SUITE_P(
    Requests, AddressPlaces,
    testing::Values(
        Place{"RuntimeConfig", {{"runtimeConfig", {{"ips", {"10.200.0.77/24"}}}}}, ""},
        Place{"RuntimeConfigWithoutPrefix", {{"runtimeConfig", {{"ips", {"10.200.0.77"}}}}}, ""},
        Place{"Args", {{"args", {{"cni", {{"ips", {"10.200.0.77"}}}}}}}, "IP=10.200.0.99"},
        Place{"CniArgs", json::object(), "IgnoreUnknown=1;IP=10.200.0.77"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Requests, APodWithARequestedMacIsReachedOverEbpf) {
  ASSERT_TRUE(ok(add({{"runtimeConfig", {{"mac", "02:11:22:33:44:55"}}}})));
  pod.address = node.attachment(pod).port.addresses.front().net.addr;
  const Pod other = node.add_pod("other");
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, pod.address, 1 << 20)));

  EXPECT_GT(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 0u);
  EXPECT_EQ(grown(before, node.counters(), KUBECNI_KERNEL_TO_POD), 0u);
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link", "show", "eth0"}),
              testing::HasSubstr("02:11:22:33:44:55"));
}

TEST_F(Requests, ThatCannotBeGrantedChangeNothing) {
  const Pod holder = node.add_pod("holder");
  const std::string before = state_of(node, {&pod}, false);
  const auto ips = [](const json& list) { return json{{"runtimeConfig", {{"ips", list}}}}; };

  EXPECT_TRUE(failed(add(ips({holder.address.str()})), 11, "in use"));
  EXPECT_TRUE(failed(add(ips({"10.200.0.1"})), 7, "10.200.0.1"));  // the gateway
  EXPECT_TRUE(failed(add(ips({"10.201.0.5"})), 7, "10.201.0.5"));
  EXPECT_TRUE(failed(add(ips({"x"})), 7, "is not an address"));
  EXPECT_TRUE(failed(add(ips({7})), 7, "7"));
  EXPECT_TRUE(failed(add(ips({"10.200.0.5", "10.200.0.6"})), 7, "a pod gets one of these"));
  EXPECT_TRUE(failed(add({}, "MAC=ff:ff:ff:ff:ff:ff"), 7, "ff:ff"));
  EXPECT_TRUE(failed(add({}, "MAC=garbage"), 7, "garbage"));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

TEST(Endpoints, AreListedByAddress) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  std::vector<Pod> pods;
  for (const auto& [name, address] :
       {std::pair("a", "10.200.0.100"), {"b", "10.200.0.20"}, {"c", "10.200.0.3"}})
    pods.push_back(node.add_pod(name, {{"runtimeConfig", {{"ips", {address}}}}}));

  const auto listed = json::parse(
      node.must_run({program("kube-cnictl"), "endpoints", "-o", "json", "--state-dir",
                     node.state_dir(), "--run-dir", node.run_dir(), "--bpffs", node.bpffs()}));

  json addresses;
  for (const json& endpoint : listed["endpoints"]) addresses.push_back(endpoint["addresses"][0]);
  EXPECT_EQ(addresses, (json{"10.200.0.3", "10.200.0.20", "10.200.0.100"}));
}

class ReusedAddress : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static json asking_for(const char* mac) {
    return {{"runtimeConfig", {{"mac", mac}, {"ips", {"10.200.0.9", "fd00:1::9"}}}}};
  }
  [[nodiscard]] std::string known_at(const char* address) const {
    return Node::must_run_in(peer.netns, {"ip", "neigh", "show", address});
  }

  Node node{"node", std::vector<std::string>{"10.200.0.0/24", "fd00:1::/64"}, GetParam()};
  Pod peer = node.add_pod("peer");
};

TEST_P(ReusedAddress, WithAnotherMacIsKnownToTheOthersAtOnce) {
  const Pod old = node.add_pod("old", asking_for("02:00:00:00:00:01"));
  for (const char* address : {"10.200.0.9", "fd00:1::9"})
    ASSERT_TRUE(ok(ping(peer.netns, IpAddr::parse(address).value())));
  ASSERT_TRUE(ok(node.cni("DEL", old, asking_for("02:00:00:00:00:01"))));

  const Pod next = node.add_pod("next", asking_for("02:00:00:00:00:02"));

  // Nobody asks for it.
  for (const char* address : {"10.200.0.9", "fd00:1::9"})
    EXPECT_TRUE(eventually([&] { return known_at(address).contains("02:00:00:00:00:02"); }))
        << known_at(address);
}

INSTANTIATE_TEST_SUITE_P(Path, ReusedAddress, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

/// Requests a MAC that is taken.
class TakenMac : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] CniAnswer ask_for(const std::string& mac) const {
    return node.cni("ADD", pod, {{"runtimeConfig", {{"mac", mac}}}});
  }
  static std::string mac_in(const NetNs& netns, const std::string& link) {
    return nlohmann::json::parse(Node::must_run_in(netns, {"ip", "-j", "link", "show", link}))
        .at(0)
        .at("address");
  }

  Node node{"node", "10.200.0.0/24", GetParam()};
  Pod holder = node.add_pod("holder");
  Pod pod{"pod"};
};

TEST_P(TakenMac, OfTheBridgeAnotherPodOrAHostEndIsRefusedAndHarmsNobody) {
  const std::string host = node.attachment(holder).port.host_ifname;
  node.must_run({"ip", "link", "add", "other", "type", "veth", "peer", "name", "far"});
  const std::string before = state_of(node, {&holder, &pod}, false);

  EXPECT_TRUE(failed(ask_for(mac_in(node.netns, "cni0")), 7, "is that of cni0"));
  EXPECT_TRUE(failed(ask_for(mac_in(node.netns, host)), 7, "is that of " + host));
  EXPECT_TRUE(failed(ask_for(mac_in(node.netns, "other")), 7, "is that of other"));
  EXPECT_TRUE(failed(ask_for(mac_in(holder.netns, "eth0")), 7, "by " + host));

  EXPECT_EQ(state_of(node, {&holder, &pod}, false), before);
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  EXPECT_TRUE(ok(ping(holder.netns, node.gateway())));
  EXPECT_TRUE(ok(ping(node.netns, holder.address)));
}

TEST_P(TakenMac, OfAGatewayBesideTheBridgeIsRefused) {
  node.must_run({"ip", "neigh", "add", "10.200.0.250", "lladdr", "02:00:00:00:02:50", "dev", "cni0",
                 "nud", "stale"});

  EXPECT_TRUE(failed(ask_for("02:00:00:00:02:50"), 7, "is that of 10.200.0.250"));
}

TEST_P(TakenMac, OfAPodThatDiedWithoutADelIsFreeAgain) {
  Pod first("first");
  ASSERT_TRUE(ok(node.cni("ADD", first, {{"runtimeConfig", {{"mac", "02:11:22:33:44:55"}}}})));
  node.must_run({"ip", "link", "del", node.attachment(first).port.host_ifname});

  EXPECT_TRUE(ok(ask_for("02:11:22:33:44:55")));
}

TEST_P(TakenMac, OfAPodThatCameBackIsFreeThoughTheNodeLearnedItsLinkLocalAddress) {
  node.must_run({"ip", "neigh", "add", "fe80::11:22ff:fe33:4455", "lladdr", "02:11:22:33:44:55",
                 "dev", "cni0", "nud", "stale"});

  EXPECT_TRUE(ok(ask_for("02:11:22:33:44:55")));
}

TEST_P(TakenMac, OneThatFollowsFromTheAddressGivesWayToAnother) {
  // The next pod's, by 10.200.0.4.
  Pod first("first");
  ASSERT_TRUE(ok(node.cni("ADD", first, {{"runtimeConfig", {{"mac", "0a:58:0a:c8:00:04"}}}})));

  const auto answer = node.cni("ADD", pod);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["ips"][0]["address"], "10.200.0.4/24");
  EXPECT_NE(mac_in(pod.netns, "eth0"), "0a:58:0a:c8:00:04");
  EXPECT_TRUE(ok(ping(pod.netns, IpAddr::v4({10, 200, 0, 3}))));
  EXPECT_TRUE(ok(ping(holder.netns, IpAddr::v4({10, 200, 0, 4}))));
}

INSTANTIATE_TEST_SUITE_P(On, TakenMac, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace kubecni::test
