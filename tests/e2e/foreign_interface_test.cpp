// Debian's macvlan or ipvlan as a second interface beside ours, as Multus calls them: each by a
// configuration of its own, for the same container. Each interface serves its own network, and
// neither plugin touches what the other one made.

#include "base/file.hpp"
#include "paths.hpp"
#include "support/cni_list.hpp"
#include "support/eventually.hpp"
#include "support/ip.hpp"
#include "support/traffic.hpp"
#include "support/wire.hpp"

#include <sys/socket.h>

#include <sstream>
#include <tuple>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// By the plugin and the dataplane of ours.
class ForeignInterface : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  ForeignInterface() {
    lan.connect(node.netns, {});
    lan.connect(host, {"192.0.2.9/24", "2001:db8::9/64"});
    for (const char* address : {"198.51.100.1/32", "2001:db8:1::1/128"})
      node.must_run({"ip", "addr", "add", address, "dev", "lo"});
    // Duplicate address detection takes a second or two for each interface.
    for (const Pod* each : {&pod, &other})
      Node::must_run_in(each->netns, {"sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"});
  }

  void SetUp() override {
    const auto made =
        run({.argv = {"ip", "link", "add", "link", "eth0", "name", "try", "type", plugin()},
             .netns_fd = node.netns.fd()});
    if (made.status != 0)
      GTEST_SKIP() << "this kernel has no " << plugin() << "; tools/kernels tests it on 6.12";
    node.must_run({"ip", "link", "del", "try"});
    ASSERT_TRUE(ok(add(pod, lan_of_pod)));
    ASSERT_TRUE(ok(add(other, lan_of_other)));
  }

  [[nodiscard]] static std::string plugin() { return std::get<0>(GetParam()); }
  [[nodiscard]] static std::string mode() { return plugin() == "macvlan" ? "bridge" : "l2"; }

  /// The pod's second network.
  [[nodiscard]] CniList lan_for(const std::string& number) const {
    return {node,
            {{{"type", plugin()},
              {"master", "eth0"},
              {"mode", mode()},
              {"ipam",
               {{"type", "static"},
                {"addresses",
                 {{{"address", "192.0.2." + number + "/24"}},
                  {{"address", "2001:db8::" + number + "/64"}}}}}}}}};
  }

  static CniAnswer add(Pod& to, CniList& network) {
    const IpAddr first = to.address;
    to.ifname = "net1";
    auto answer = network.add(to);
    to.ifname = "eth0";
    to.address = first;
    return answer;
  }
  static CniAnswer del(Pod& of, CniList& network) {
    of.ifname = "net1";
    auto answer = network.del(of);
    of.ifname = "eth0";
    return answer;
  }

  /// By the pod's own network: to another pod by the path that the dataplane has, and to the node
  /// by the default route.
  void expect_eth0_works() {
    for (const int family : {AF_INET, AF_INET6}) {
      const auto transfer = [&] {
        EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, pod.address_of(family))));
      };
      node.is_ebpf() ? expect_on_ebpf(node, 10, transfer) : transfer();
    }
    for (const char* address : {"198.51.100.1", "2001:db8:1::1"}) {
      EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "route", "get", address}),
                  HasSubstr(" dev eth0 "));
      EXPECT_TRUE(ok(ping(pod.netns, addr(address))));
    }
  }
  void expect_net1_works() {
    for (const char* address : {"192.0.2.9", "2001:db8::9"})
      EXPECT_TRUE(ok(ping(pod.netns, addr(address)))) << address;
    for (const char* address : {"192.0.2.11", "2001:db8::11"}) {
      EXPECT_TRUE(ok(tcp_transfer(host, pod.netns, addr(address)))) << address;
      EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, addr(address)))) << address;
    }
  }

  Wire lan{"lan"};
  Node node{"node", std::vector<std::string>{"10.200.0.0/24", "fd00:1::/64"},
            std::get<1>(GetParam())};
  NetNs host{"host"};
  Pod pod = node.add_pod("pod");
  Pod other = node.add_pod("other");
  CniList lan_of_pod = lan_for("11");
  CniList lan_of_other = lan_for("12");
};

TEST_P(ForeignInterface, ServesItsOwnNetworkBesideOurs) {
  expect_eth0_works();
  expect_net1_works();
}

TEST_P(ForeignInterface, GoesWithoutOurs) {
  ASSERT_TRUE(ok(del(pod, lan_of_pod)));
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link"}), Not(HasSubstr("net1")));
  expect_eth0_works();
}

TEST_P(ForeignInterface, StaysWhenOursGoes) {
  ASSERT_TRUE(ok(node.cni("DEL", pod)));

  expect_net1_works();
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link"}), Not(HasSubstr("eth0@if")));
}

TEST_P(ForeignInterface, IsNotTouchedByOurGc) {
  const json kept{{{"containerID", other.container_id}, {"ifname", "eth0"}},
                  {{"containerID", pod.container_id}, {"ifname", "eth0"}}};
  ASSERT_TRUE(ok(node.cni("GC", pod, {{"cni.dev/valid-attachments", kept}})));
  expect_eth0_works();
  expect_net1_works();
}

INSTANTIATE_TEST_SUITE_P(Plugins, ForeignInterface,
                         testing::Combine(testing::Values("macvlan", "ipvlan"),
                                          testing::Values("ebpf", "bridge")),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_" + std::get<1>(tested.param);
                         });

/// A pod that routes between its networks. With ipvlan it would be the node: they have one MAC.
class RoutingPod : public ForeignInterface {
 protected:
  /// What the check of senders has dropped on the bridge.
  [[nodiscard]] std::string dropped() const {
    return node.must_run(
        {"sh", "-c", "nft list table bridge kube-cni | grep -o 'packets [1-9].*' || :"});
  }
};

TEST_P(RoutingPod, CannotSpeakForHostsOfItsOtherNetwork) {
  constexpr const char* kNodes = "/run/kube-cni-test/nodes.json";
  const std::vector<std::string> addresses{"203.0.113.1", "2001:db8:2::1"};
  const std::vector<std::string> cidrs{"10.200.0.0/24", "fd00:1::/64"};
  must(write_file_atomically(kNodes,
                             make_node_list({make_node(node.name(), addresses, cidrs)}).dump()));
  Process daemon = node.start_daemon({"--node-source", std::string("file:") + kNodes});
  constexpr std::chrono::minutes kPatience{5};  // on an emulated machine
  ASSERT_TRUE(eventually([&] { return is_guarded(node, pod); }, kPatience)) << daemon.err();
  for (const char* setting :
       {"net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv6.conf.all.forwarding=1"})
    Node::must_run_in(pod.netns, {"sysctl", "-qw", setting});
  Node::must_run_in(host, {"ip", "route", "add", "10.200.0.0/24", "via", "192.0.2.11"});
  Node::must_run_in(host, {"ip", "route", "add", "fd00:1::/64", "via", "2001:db8::11"});
  expect_net1_works();

  for (const int family : {AF_INET, AF_INET6}) {
    const auto before = node.is_ebpf() ? node.counters() : ExitCounts{};
    const std::string before_guard = dropped();

    EXPECT_FALSE(ping(host, other.address_of(family), std::nullopt, std::chrono::seconds(1)));

    if (node.is_ebpf()) {
      EXPECT_GE(grown(before, node.counters(), KUBECNI_DROP_SPOOFED_IP), 1U)
          << growth(before, node.counters());
    } else {
      EXPECT_NE(dropped(), before_guard);
    }
  }
  expect_eth0_works();
}

INSTANTIATE_TEST_SUITE_P(Plugins, RoutingPod,
                         testing::Combine(testing::Values("macvlan"),
                                          testing::Values("ebpf", "bridge")),
                         [](const auto& tested) { return std::get<1>(tested.param); });

}  // namespace
}  // namespace kubecni::test
