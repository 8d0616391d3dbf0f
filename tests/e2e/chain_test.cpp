// kube-cni in a list with Debian's meta plugins: first, in the middle and last. The partner's
// feature works, and plain traffic still takes the fast path.

#include "base/file.hpp"
#include "expect.hpp"
#include "support/cni_list.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"
#include "support/wire.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::uint16_t kHostPort = 18080;
constexpr std::uint16_t kPodPort = 8080;
const IpAddr kNodeAddress = IpAddr::v4({192, 0, 2, 1});

const json kOwn{{"type", "kube-cni"}};
const json kLoopback{{"type", "loopback"}};
const json kTuning{{"type", "tuning"}, {"sysctl", {{"net.core.somaxconn", "512"}}}};
const json kTuningOfInterface{
    {"type", "tuning"}, {"sysctl", {{"net.ipv4.conf.eth0.arp_notify", "1"}}}, {"allmulti", true}};
const json kPortmap{{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}};
const json kFirewall{{"type", "firewall"}, {"backend", "iptables"}};
const json kSbr{{"type", "sbr"}};
const json kPorts{{"portMappings",
                   {{{"hostPort", kHostPort}, {"containerPort", kPodPort}, {"protocol", "tcp"}}}}};

/// A node with one pod of the list and one without it, and another host.
class Chain : public testing::Test {
 protected:
  Chain() {
    wire.connect(node, kNodeAddress.str() + "/24");
    wire.connect(outside, "192.0.2.9/24");
    node.set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
    node.set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1");
  }

  /// Does ADD of the pod, and checks that eBPF carries packets to it.
  void add(CniList& list) {
    const auto answer = list.add(pod, kPorts);
    ASSERT_TRUE(ok(answer));
    const auto before = node.counters();
    EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, pod.address)));
    const auto after = node.counters();
    EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 10u) << growth(before, after);
    EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
  }

  Result<> call_the_port(const NetNs& client, const IpAddr& address = kNodeAddress) {
    return TcpTransfer({.client = client,
                        .server = pod.netns,
                        .to = address,
                        .port = kHostPort,
                        .server_port = kPodPort,
                        .bytes = 1 << 20,
                        .deadline = std::chrono::seconds(10)})
        .finish();
  }

  Wire wire{"wire"};
  Node node{"node", "10.200.0.0/24", "ebpf"};
  Node outside{"outside", "10.201.0.0/24", "ebpf"};
  Pod other = node.add_pod("other");
  Pod pod{"pod"};
};

TEST_F(Chain, TuningAfterItSetsWhatItShould) {
  CniList list(node, {kOwn, kTuningOfInterface});

  add(list);

  pod.netns.enter(
      [] { EXPECT_EQ(must(read_file("/proc/sys/net/ipv4/conf/eth0/arp_notify")), "1\n"); });
  EXPECT_TRUE(ok(list.check(pod)));
  EXPECT_TRUE(ok(list.del(pod)));
}

TEST_F(Chain, LastAfterTuningItKeepsTheResultOfThoseBefore) {
  CniList list(node, {kLoopback, kTuning, kOwn});

  const auto answer = list.add(pod);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["interfaces"][0]["name"], "lo");
  EXPECT_EQ(answer.json["interfaces"][2]["name"], "eth0");
  const json& ip = answer.json["ips"].back();
  EXPECT_EQ(ip["address"], pod.address.str() + "/24");
  EXPECT_EQ(ip["interface"], 2);
  EXPECT_TRUE(ok(ping(other.netns, pod.address)));
  EXPECT_TRUE(ok(list.check(pod)));
  EXPECT_TRUE(ok(list.del(pod)));
}

TEST_F(Chain, PortmapInEachPositionAnswersEverybody) {
  for (const auto& plugins : {std::vector{kOwn, kPortmap}, {kLoopback, kOwn, kPortmap}}) {
    CniList list(node, plugins);
    add(list);

    EXPECT_TRUE(ok(call_the_port(outside.netns))) << "from outside";
    EXPECT_TRUE(ok(call_the_port(node.netns))) << "from the node";
    EXPECT_TRUE(ok(call_the_port(other.netns))) << "from another pod of the node";
    EXPECT_TRUE(ok(call_the_port(pod.netns))) << "from the pod itself";
    EXPECT_TRUE(ok(list.del(pod)));
  }
}

TEST_F(Chain, TheMappedPortIsClosedAgainAfterDel) {
  CniList list(node, {kOwn, kPortmap});
  add(list);
  ASSERT_TRUE(ok(list.del(pod)));

  EXPECT_THAT(node.must_run({"iptables", "-t", "nat", "-S"}),
              testing::Not(HasSubstr(std::to_string(kHostPort))));
}

TEST_F(Chain, FirewallInEachPositionLetsThePodThroughAStrictNode) {
  node.must_run({"iptables", "-P", "FORWARD", "DROP"});
  outside.must_run({"ip", "route", "add", "10.200.0.0/24", "via", kNodeAddress.str()});
  for (const auto& plugins : {std::vector{kOwn, kFirewall}, {kLoopback, kOwn, kFirewall}}) {
    CniList list(node, plugins);
    add(list);

    EXPECT_FALSE(ping(other.netns, IpAddr::v4({192, 0, 2, 9}), {}, std::chrono::milliseconds(200)))
        << "the pod without firewall plugin is dropped, so it is the plugin that lets pass";
    EXPECT_TRUE(ok(ping(pod.netns, IpAddr::v4({192, 0, 2, 9}))));
    EXPECT_TRUE(ok(list.check(pod)));
    EXPECT_TRUE(ok(list.del(pod)));
  }
}

TEST_F(Chain, SbrInEachPositionRoutesByTheSourceAddress) {
  for (const auto& plugins : {std::vector{kOwn, kSbr}, {kLoopback, kOwn, kSbr}}) {
    CniList list(node, plugins);
    add(list);

    EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "rule"}),
                HasSubstr("from " + pod.address.str() + " lookup 100"));
    EXPECT_TRUE(ok(ping(pod.netns, kNodeAddress, pod.address)));
    EXPECT_TRUE(ok(list.check(pod)));
    EXPECT_TRUE(ok(list.del(pod)));
  }
}

TEST_F(Chain, CheckStillMissesARouteThatSbrDidNotMove) {
  CniList list(node, {kOwn, kSbr});
  add(list);
  Node::must_run_in(pod.netns, {"ip", "route", "flush", "table", "100"});

  EXPECT_TRUE(failed(list.check(pod), 100, "default route"));
}

TEST_F(Chain, AllOfThemAtOnceWorkAndLeaveNothing) {
  const auto before = state_of(node, {}, false);
  CniList list(node, {kLoopback, kTuning, kOwn, kTuningOfInterface, kPortmap, kFirewall, kSbr});

  add(list);
  EXPECT_TRUE(ok(call_the_port(outside.netns)));
  EXPECT_TRUE(ok(list.del(pod)));

  EXPECT_EQ(state_of(node, {}, false), before);
}

}  // namespace
}  // namespace kubecni::test
