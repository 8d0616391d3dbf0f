// Mode ptp: pods without a bridge. The node routes to each of them.

#include "base/file.hpp"
#include "cluster.hpp"
#include "host_ports_node.hpp"
#include "net/link.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"
#include "support/udp.hpp"

#include <sys/socket.h>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr std::chrono::milliseconds kShort{300};

const std::vector<std::string>& subnets() {
  static const std::vector<std::string> both{"10.200.0.0/24", "fd00:10::/64"};
  return both;
}

/// A node, with two pods in mode ptp.
class PtpNode {
 protected:
  explicit PtpNode(const std::string& dataplane) : node("node", subnets(), dataplane) {
    node.use_mode("ptp");
    one.emplace(node.add_pod("one"));
    two.emplace(node.add_pod("two"));
  }

  [[nodiscard]] std::string host_end(const Pod& pod) const {
    return node.attachment(pod).port.host_ifname;
  }
  [[nodiscard]] CniAnswer check(const Pod& pod, const json& added) const {
    return node.cni("CHECK", pod, {{"prevResult", added}});
  }
  void detach(const Pod& pod) const {
    const std::string name = host_end(pod);
    node.netns.enter([&] {
      auto netlink = must(NetlinkSocket::open());
      const Device host{must(find_link(netlink, name)).value().ifindex, name};
      for (const Program& hook : programs_on(KUBECNI_ON_POD))
        must(kubecni::detach(PinPaths(node.bpffs()).links, hook, host));
    });
  }

  Node node;
  std::optional<Pod> one;
  std::optional<Pod> two;
};

class Ptp : public testing::TestWithParam<std::string>, protected PtpNode {
 protected:
  Ptp() : PtpNode(GetParam()) {}
};

// Its route would take that pod's packets.
TEST_P(Ptp, AnAddressOfAnotherPodIsRefused) {
  const json conf{
      {"name", "other"},
      {"subnet", nullptr},
      {"ipam", {{"type", "static"}, {"addresses", {{{"address", one->address.str() + "/24"}}}}}}};
  const std::string routes = node.must_run({"ip", "route"});

  EXPECT_TRUE(failed(node.cni("ADD", Pod("thief"), conf), 7, "which another pod in mode ptp has"));

  EXPECT_EQ(node.must_run({"ip", "route"}), routes);
  EXPECT_TRUE(ok(ping(two->netns, one->address)));
}

TEST_P(Ptp, PodsAndTheNodeReachEachOtherWithoutABridge) {
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr to = two->address_of(family);
    const auto before = node.is_ebpf() ? node.counters() : ExitCounts{};
    EXPECT_TRUE(ok(ping(one->netns, to)));
    EXPECT_TRUE(ok(udp_echo(one->netns, two->netns, to)));
    EXPECT_TRUE(ok(tcp_transfer(one->netns, two->netns, to, 8 << 20)));
    if (node.is_ebpf()) {
      const auto after = node.counters();
      EXPECT_GE(grown(before, after, KUBECNI_FAST_TO_LOCAL_POD), 100u) << growth(before, after);
      EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
    }
    EXPECT_TRUE(ok(tcp_transfer(one->netns, one->netns, one->address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(one->netns, node.netns, node.gateway(family))));
    EXPECT_TRUE(ok(tcp_transfer(node.netns, two->netns, to)));
  }

  EXPECT_THAT(node.must_run({"ip", "-d", "-br", "link", "show", "type", "bridge"}), "");
}

TEST_P(Ptp, AddressOfAnotherPodIsDropped) {
  const IpAddr other = IpAddr::v4({10, 200, 0, 99});
  Node::must_run_in(one->netns, {"ip", "addr", "add", other.str() + "/32", "dev", "eth0"});
  const UdpSocket receiver(two->netns, AF_INET, 7000);
  const UdpSocket honest(one->netns, one->address, 0);
  const UdpSocket liar(one->netns, other, 0);
  ASSERT_TRUE(ok(honest.send(two->address, 7000, "own")));
  ASSERT_EQ(must(receiver.receive()).text, "own");

  ASSERT_TRUE(ok(liar.send(two->address, 7000, "another's")));

  EXPECT_FALSE(receiver.receive(kShort)) << "before any daemon has seen the pod";
}

TEST_P(Ptp, CheckFindsWhatIsMissingAndDelLeavesNothing) {
  const Pod pod("pod");
  const std::string before = state_of(node, {&pod}, false);
  const CniAnswer added = node.cni("ADD", pod);
  ASSERT_TRUE(ok(added));
  ASSERT_TRUE(ok(check(pod, added.json)));
  const IpAddr address = IpNet::parse(added.json["ips"][0]["address"].get<std::string>())->addr;

  node.must_run({"ip", "route", "del", address.str()});
  EXPECT_TRUE(failed(check(pod, added.json), 100, "lost its route to " + address.str()));
  node.must_run({"ip", "addr", "flush", "dev", host_end(pod)});
  EXPECT_TRUE(failed(check(pod, added.json), 100, "lost its address 10.200.0.1/32"));
  Node::must_run_in(pod.netns, {"ip", "route", "del", "10.200.0.1"});
  EXPECT_TRUE(failed(check(pod, added.json), 100, "lost its route to its gateway 10.200.0.1"));

  EXPECT_TRUE(ok(node.cni("DEL", pod)));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

INSTANTIATE_TEST_SUITE_P(By, Ptp, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

class PtpEbpf : public testing::Test, protected PtpNode {
 protected:
  PtpEbpf() : PtpNode("ebpf") {}
};

TEST_F(PtpEbpf, ConnectionContinuesOnTheKernelPathWithoutThePrograms) {
  TcpTransfer transfer({.client = one->netns,
                        .server = two->netns,
                        .to = two->address,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 64 << 20});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 8 << 20; }));

  for (const Pod* pod : {&*one, &*two}) detach(*pod);

  EXPECT_TRUE(ok(transfer.finish()));
}

/// The keys of an object, and of those in it, without values.
json shape_of(const json& value) {
  json shape = json::object();
  if (value.is_array()) {
    for (const json& entry : value) shape.update(shape_of(entry), true);
    return shape;
  }
  if (value.is_object())
    for (const auto& [key, entry] : value.items()) shape[key] = shape_of(entry);
  return shape;
}

TEST_F(PtpEbpf, ResultIsLikeThatOfTheReferencePlugin) {
  const json conf{{"cniVersion", "1.0.0"},
                  {"name", "reference"},
                  {"type", "ptp"},
                  {"ipam",
                   {{"type", "host-local"},
                    {"dataDir", "/run/host-local"},
                    {"ranges", {{{{"subnet", "10.201.0.0/24"}}}}},
                    {"routes", {{{"dst", "0.0.0.0/0"}}}}}}};
  const Pod theirs("theirs");
  const Outcome reference =
      run({.argv = {std::string(kReferencePlugins) + "/ptp"},
           .env = {"CNI_COMMAND=ADD", "CNI_CONTAINERID=theirs", "CNI_NETNS=" + theirs.netns.path(),
                   "CNI_IFNAME=eth0", std::string("CNI_PATH=") + kReferencePlugins},
           .input = conf.dump(),
           .netns_fd = node.netns.fd()});
  ASSERT_EQ(reference.status, 0) << reference.out;
  const json wanted = json::parse(reference.out);

  const Pod pod("pod");
  const json result =
      node.cni("ADD", pod,
               {{"cniVersion", "1.0.0"}, {"ipam", nullptr}, {"subnet", "10.200.0.0/24"}})
          .json;

  json shape = shape_of(result);
  shape["routes"].erase("gw");  // ours says what the reference leaves to the address
  EXPECT_EQ(shape, shape_of(wanted));
  ASSERT_EQ(result["interfaces"].size(), wanted["interfaces"].size());
  EXPECT_EQ(result["ips"][0]["interface"], wanted["ips"][0]["interface"]);
  EXPECT_EQ(result["ips"][0]["gateway"], "10.200.0.1");
}

class PtpHostPorts : public testing::TestWithParam<std::string>, protected HostPortsOn {
 protected:
  PtpHostPorts() : HostPortsOn(GetParam()) { node.use_mode("ptp"); }
};

TEST_P(PtpHostPorts, LeadFromEverywhereToThePod) {
  const Pod pod = node.add_pod("pod", asking_for({mapping("TCP")}));
  const Pod other = node.add_pod("other");
  for (const std::string& to : {kNode4, kNode6}) {
    EXPECT_TRUE(ok(call(outside, pod.netns, to))) << "from outside" << table();
    EXPECT_TRUE(ok(call(node.netns, pod.netns, to))) << "from the node";
    EXPECT_TRUE(ok(call(other.netns, pod.netns, to))) << "from another pod";
    EXPECT_TRUE(ok(call(pod.netns, pod.netns, to))) << "from the pod itself";
  }
  EXPECT_TRUE(ok(call(node.netns, pod.netns, "127.0.0.1"))) << "from localhost";
}

INSTANTIATE_TEST_SUITE_P(By, PtpHostPorts, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

TEST(PtpAndBridge, PodsReachEachOther) {
  const Cluster cluster{ClusterOptions{.families = Families::kDual}};
  const Pod& on_bridge = *cluster.pod_a;
  Pod routed =
      cluster.a.add_pod("routed", {{"subnet", nullptr}, {"ipam", nullptr}, {"mode", "ptp"}});

  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr to = routed.address_of(family);
    EXPECT_TRUE(eventually([&] { return ping(on_bridge.netns, to, std::nullopt, kShort); }))
        << cluster.daemon_a->err();
    EXPECT_TRUE(ok(tcp_transfer(on_bridge.netns, routed.netns, to)));
    EXPECT_TRUE(ok(tcp_transfer(routed.netns, on_bridge.netns, on_bridge.address_of(family))));
    EXPECT_TRUE(
        ok(tcp_transfer(routed.netns, cluster.pod_b->netns, cluster.pod_b->address_of(family))));
  }
  ASSERT_TRUE(ok(cluster.a.cni("DEL", routed, {{"mode", "ptp"}})));
  const auto proxies = [&] { return cluster.a.must_run({"ip", "neigh", "show", "proxy"}); };
  EXPECT_TRUE(eventually([&] { return proxies().empty(); })) << proxies();
}

struct PtpWay {
  std::string dataplane;
  std::string routing;
};

class PtpCluster : public testing::TestWithParam<PtpWay> {
 protected:
  [[nodiscard]] std::string host_end() const {
    return cluster.a.attachment(*cluster.pod_a).port.host_ifname;
  }
  std::string ip(std::vector<std::string> argv) const {
    argv.insert(argv.begin(), "ip");
    return cluster.a.must_run(argv);
  }

  Cluster cluster{ClusterOptions{.dataplane = GetParam().dataplane,
                                 .mode = "ptp",
                                 .families = Families::kDual,
                                 .routing = {GetParam().routing}}};
  const NetNs& a = cluster.pod_a->netns;
  const NetNs& b = cluster.pod_b->netns;
};

TEST_P(PtpCluster, PodsReachOtherNodesTheirPodsAndTheOutside) {
  for (const int family : {AF_INET, AF_INET6}) {
    const auto before = cluster.a.is_ebpf() ? cluster.a.counters() : ExitCounts{};
    EXPECT_TRUE(ok(tcp_transfer(a, b, cluster.pod_b->address_of(family), 8 << 20)));
    if (cluster.a.is_ebpf()) {
      const auto after = cluster.a.counters();
      const bool is_direct = GetParam().routing == "direct";
      EXPECT_GE(grown(before, after, is_direct ? KUBECNI_FAST_TO_NODE : KUBECNI_FAST_TO_TUNNEL),
                100u)
          << growth(before, after);
      EXPECT_EQ(grown(before, after, KUBECNI_KERNEL_TO_POD), 0u) << growth(before, after);
    }
    EXPECT_TRUE(ok(udp_echo(a, b, cluster.pod_b->address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(a, cluster.b.netns, cluster.member(1).address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(cluster.a.netns, b, cluster.pod_b->address_of(family))));
    const auto before_outside = cluster.a.is_ebpf() ? cluster.a.counters() : ExitCounts{};
    EXPECT_TRUE(
        ok(tcp_transfer(a, cluster.underlay.outside, Underlay::outside_address(family), 8 << 20)));
    if (cluster.a.is_ebpf()) {
      const auto after = cluster.a.counters();
      EXPECT_GE(grown(before_outside, after, KUBECNI_FAST_TRANSLATED_TO_HOST), 100u)
          << growth(before_outside, after);
    }
  }
  EXPECT_EQ(cluster.underlay.leaked(), 0u);
  EXPECT_THAT(ip({"-br", "link", "show", "type", "bridge"}), "");
}

TEST_P(PtpCluster, AnAddressThatNoPodHasIsUnreachableAtOnce) {
  for (const char* address : {"10.200.1.77", "fd00:10:1::77"})
    EXPECT_THAT(
        Node::must_run_in(a, {"sh", "-c", std::string("ping -c 1 -W 3 ") + address + " || true"}),
        HasSubstr("nreachable"));
}

TEST_P(PtpCluster, SpoofedSourcesAreDroppedOnTheKernelPath) {
  ASSERT_TRUE(eventually([&] { return is_guarded(cluster.a, *cluster.pod_a); }))
      << cluster.daemon_a->err();
  const Pod victim = cluster.add_pod(cluster.a, "victim");
  if (cluster.a.is_ebpf()) {
    cluster.daemon_a->signal(SIGTERM);
    cluster.daemon_a->wait();
    std::filesystem::remove_all(PinPaths(cluster.a.bpffs()).links);
    cluster.a.must_run({"sh", "-c",
                        "for d in $(ls /sys/class/net | grep ^veth); do "
                        "tc qdisc del dev $d clsact; done; true"});
  }
  for (const auto& [family, other] :
       {std::pair{AF_INET, "10.200.1.99"}, {AF_INET6, "fd00:10:1::99"}}) {
    Node::must_run_in(a, {"ip", "addr", "add", other, "dev", "eth0", "nodad"});
    const UdpSocket receiver(victim.netns, family, 7000);
    const UdpSocket honest(a, cluster.pod_a->address_of(family), 0);
    ASSERT_TRUE(ok(honest.send(victim.address_of(family), 7000, "own")));
    ASSERT_EQ(must(receiver.receive()).text, "own");
    const UdpSocket liar(a, IpAddr::parse(other).value(), 0);

    ASSERT_TRUE(ok(liar.send(victim.address_of(family), 7000, "another's")));

    EXPECT_FALSE(receiver.receive(kShort)) << other;
  }
}

TEST_P(PtpCluster, TheDaemonBringsBackWhatIsTakenAway) {
  const std::string own = cluster.pod_a->address.str();
  const auto neighbours = [&] { return ip({"neigh", "show", "dev", host_end()}); };
  const auto addresses = [&] { return ip({"-br", "addr", "show", "dev", host_end()}); };
  const auto routes = [&] { return ip({"route", "show", "dev", host_end()}); };
  const std::vector<std::string> right{neighbours(), addresses(), routes()};

  ip({"route", "del", own});
  EXPECT_TRUE(eventually([&] { return routes() == right[2]; })) << cluster.daemon_a->err();
  ip({"neigh", "flush", "dev", host_end(), "nud", "permanent"});
  ip({"addr", "del", "10.200.1.1/32", "dev", host_end()});
  cluster.a.set_sysctl("net/ipv4/conf/" + host_end() + "/rp_filter", "0");

  EXPECT_TRUE(eventually(
      [&] { return std::vector<std::string>{neighbours(), addresses(), routes()} == right; },
      std::chrono::seconds(70)))
      << neighbours() << addresses() << routes() << cluster.daemon_a->err();
  EXPECT_TRUE(ok(ping(a, cluster.pod_b->address)));
}

INSTANTIATE_TEST_SUITE_P(By, PtpCluster,
                         testing::Values(PtpWay{"ebpf", "direct"}, PtpWay{"ebpf", "vxlan"},
                                         PtpWay{"bridge", "vxlan"}),
                         [](const auto& tested) {
                           return tested.param.dataplane + "_" + tested.param.routing;
                         });

}  // namespace
}  // namespace kubecni::test
