// A node with several NICs reaches each peer by the one that the kernel's routes name, also after
// NICs and routes have changed. Not with --routing bgp: BIRD's routes name the device themselves.

#include "paths.hpp"
#include "support/capture.hpp"
#include "support/traffic.hpp"

#include <algorithm>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::chrono::milliseconds kPingPatience{300};  // of a ping

/// node-a has node-b behind eth0, and node-c behind eth1. Its InternalIP is that of eth0.
class SeveralNics : public testing::TestWithParam<
                        std::tuple<std::string /*dataplane*/, std::string /*routing*/>> {
 protected:
  SeveralNics() {
    add_second_nic();
    for (const int family : {AF_INET, AF_INET6}) {
      route_back_by(Underlay::address(2, 1, family).str());
      forget_neighbours_soon(c().node, family == AF_INET ? "ipv4" : "ipv6");
    }
  }

  /// With the same addresses, and another MAC each time.
  void add_second_nic() { cluster.underlay.connect_also(cluster.a.netns, 2, 1, "eth1"); }

  /// A kernel asks again for the MAC of a neighbour after half a minute; so here after a second.
  static void forget_neighbours_soon(const Node& node, const std::string& family) {
    const std::string of_nic = "net/" + family + "/neigh/eth0/";
    node.set_sysctl(of_nic + "base_reachable_time_ms", "500");
    node.set_sysctl(of_nic + "delay_first_probe_time", "1");
    node.set_sysctl(of_nic + "retrans_time_ms", "200");
  }

  /// Node-c's way to node-a.
  void route_back_by(const std::string& gateway) const {
    const int family = gateway.find(':') == std::string::npos ? AF_INET : AF_INET6;
    c().node.must_run(
        {"ip", "route", "replace", cluster.member(0).address_of(family).str(), "via", gateway});
  }

  [[nodiscard]] const Cluster::Member& c() const { return cluster.member(2); }

  /// Whether packets of pods between node-a and that one take eBPF in both directions.
  [[nodiscard]] bool is_carried(std::size_t peer) const {
    const Cluster::Member& other = cluster.member(peer);
    for (const int family : {AF_INET, AF_INET6})
      if (!ping(cluster.pod_a->netns, other.pod->address_of(family), {}, kPingPatience))
        return false;
    if (!cluster.a.is_ebpf()) return true;
    const PathReasons path = path_reasons(routing == "vxlan");
    const ExitCounts before = cluster.a.counters();
    for (const int family : {AF_INET, AF_INET6})
      if (!udp_echo(cluster.pod_a->netns, other.pod->netns, other.pod->address_of(family)))
        return false;
    const ExitCounts after = cluster.a.counters();
    return grown(before, after, path.fast_out) >= 10 &&
           grown(before, after, KUBECNI_FAST_SENT_TO_WIRE) >= 10 &&
           grown(before, after, path.fast_in) >= 10;
  }

  /// Waits until packets from node-a to node-c's pod leave by the NIC on that port of a wire.
  void expect_second_nic(bool is_used) {
    const IpAddr pod = c().pod->address;
    EXPECT_TRUE(eventually([&] {
      Capture of_first(cluster.member(0).port);
      (void)udp_echo(cluster.pod_a->netns, c().pod->netns, pod);
      const auto frames = routing == "vxlan" ? of_first.tunnelled(pod) : of_first.plain(pod);
      return std::ranges::none_of(frames, [&](const WireFrame& frame) {
               return (frame.inner ? *frame.inner : frame.outer).dst == pod;
             }) == is_used;
    }));
  }

  void expect_all_reached(const char* when) {
    SCOPED_TRACE(when);
    for (const std::size_t peer : {1U, 2U}) {
      SCOPED_TRACE(cluster.member(peer).node.name());
      ASSERT_TRUE(eventually([&] { return is_carried(peer); })) << cluster.daemon_a->err();
      for (const int family : {AF_INET, AF_INET6}) {
        const IpAddr pod = cluster.member(peer).pod->address_of(family);
        // The kernel path asks for the next hop.
        ASSERT_TRUE(ok(ping(cluster.pod_a->netns, pod)));
        expect_on_ebpf(cluster.a, cluster.member(peer).node, routing == "vxlan", 10, [&] {
          EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.member(peer).pod->netns, pod)));
        });
      }
    }
  }

  const std::string dataplane = std::get<0>(GetParam());
  const std::string routing = std::get<1>(GetParam());
  Cluster cluster{{.dataplane = dataplane,
                   .families = Families::kDual,
                   .topology = Topology::kMixed,
                   .routing = {routing},
                   .router_carries_pods = true}};
};

TEST_P(SeveralNics, ReachPeersAsTheKernelsRoutesSayAndAreFollowed) {
  expect_all_reached("at first");
  expect_second_nic(true);

  for (const int family : {AF_INET, AF_INET6}) {
    const std::string ip = family == AF_INET ? "ip -4 " : "ip -6 ";
    const std::string peer = c().address_of(family).str();
    cluster.a.must_run({"sh", "-ec",
                        ip + "route add " + peer + " via " +
                            Underlay::router_address(1, family).str() + " dev eth0 table 100;" +
                            ip + "rule add to " + peer + " lookup 100"});
    route_back_by(Underlay::router_address(2, family).str());
  }
  expect_second_nic(false);
  expect_all_reached("with rules");
  expect_second_nic(false);

  for (const int family : {AF_INET, AF_INET6}) {
    cluster.a.must_run({"ip", family == AF_INET ? "-4" : "-6", "rule", "del", "lookup", "100"});
    route_back_by(Underlay::address(2, 1, family).str());
  }
  expect_second_nic(true);
  expect_all_reached("without rules again");

  cluster.a.must_run({"ip", "link", "set", "eth1", "name", "lan1"});
  expect_all_reached("renamed");

  cluster.a.must_run({"ip", "link", "del", "lan1"});
  add_second_nic();
  expect_all_reached("made again");

  cluster.a.must_run({"sh", "-ec",
                      "ip link add br1 type bridge; ip link set eth1 master br1;"
                      "ip addr flush dev eth1 scope global; ip link set br1 up;"
                      "ip addr add 198.51.100.1/24 dev br1;"
                      "ip addr add 2001:db8:2::1/64 dev br1 nodad"});
  expect_all_reached("port of a bridge that has the addresses");
}

INSTANTIATE_TEST_SUITE_P(By, SeveralNics,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values("direct", "vxlan")),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_" + std::get<1>(tested.param);
                         });

}  // namespace
}  // namespace kubecni::test
