// A node with several NICs reaches each peer by the one that the kernel's routes name, also after
// NICs and routes have changed. Not with --routing bgp: BIRD's routes name the device themselves.

#include "paths.hpp"
#include "support/capture.hpp"
#include "support/traffic.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stop_token>
#include <system_error>
#include <thread>
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
      for (const int family : {AF_INET, AF_INET6})
        expect_on_ebpf(cluster.a, cluster.member(peer).node, routing == "vxlan", 10, [&] {
          EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.member(peer).pod->netns,
                                      cluster.member(peer).pod->address_of(family))));
        });
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

UniqueFd open_tun(const NetNs& netns) {
  UniqueFd fd;
  netns.enter([&] {
    fd = UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    std::strcpy(request.ifr_name, "tun0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0)
      throw std::system_error(errno, std::generic_category(), "make tun0");
  });
  return fd;
}

/// A cable between two nodes with a device `tun0` at each end.
class TunCable {
 public:
  TunCable(const NetNs& one, const NetNs& other) : ends_{open_tun(one), open_tun(other)} {}

 private:
  void carry(const std::stop_token& stop) {
    constexpr int kStopCheckMs = 50;
    std::array<char, 65536> packet;
    std::array<pollfd, 2> ends{{{ends_[0].get(), POLLIN, 0}, {ends_[1].get(), POLLIN, 0}}};
    while (!stop.stop_requested()) {
      ::poll(ends.data(), ends.size(), kStopCheckMs);
      for (const std::size_t from : {0U, 1U}) {
        const ssize_t size = ::read(ends[from].fd, packet.data(), packet.size());
        if (size > 0)  // a full queue loses it, as a wire does
          (void)!::write(ends[1 - from].fd, packet.data(), static_cast<std::size_t>(size));
      }
    }
  }

  std::array<UniqueFd, 2> ends_;
  std::jthread carrier_{[this](const std::stop_token& stop) { carry(stop); }};
};

/// Two nodes whose InternalIPs are not those of their NICs.
class OddUplinks : public testing::TestWithParam<std::string /*routing*/> {
 protected:
  /// Whether an exchange of datagrams between the pods uses eBPF in both directions.
  [[nodiscard]] bool is_reached(int family, bool by_ebpf) const {
    const PathReasons path = path_reasons(GetParam() == "vxlan");
    const ExitCounts before = cluster.a.counters();
    if (!udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, address(family))) return false;
    const ExitCounts after = cluster.a.counters();
    return (grown(before, after, path.fast_out) >= 5) == by_ebpf &&
           (grown(before, after, path.fast_in) >= 5) == by_ebpf;
  }

  void expect_reached(bool by_ebpf) const {
    for (const int family : {AF_INET, AF_INET6}) {
      ASSERT_TRUE(eventually([&] { return is_reached(family, by_ebpf); }))
          << family << cluster.daemon_a->err();
      EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, address(family))));
      EXPECT_TRUE(is_reached(family, by_ebpf));
      EXPECT_TRUE(ok(ping(cluster.a.netns, address(family))));
      EXPECT_TRUE(ok(ping(cluster.pod_b->netns, cluster.member(0).address_of(family))));
    }
  }

  [[nodiscard]] IpAddr address(int family) const { return cluster.pod_b->address_of(family); }

  Cluster cluster{{.families = Families::kDual, .routing = {GetParam()}}};
};

TEST_P(OddUplinks, LeadFromLoopbackToLoopbackAndGoWithoutEthernetHeaders) {
  // As where nodes tell routers by BGP where their address is.
  const auto move = [](const Node& node, const std::string& own, const std::string& peer) {
    node.must_run({"sh", "-ec",
                   "ip addr flush dev eth0 scope global; ip addr add 192.0.2." + own +
                       "/32 dev lo; ip addr add 2001:db8:1::" + own +
                       "/128 dev lo; ip addr add 198.51.100." + own +
                       "/24 dev eth0; ip addr add 2001:db8:2::" + own +
                       "/64 dev eth0 nodad; ip route add 192.0.2." + peer + " via 198.51.100." +
                       peer + "; ip route add 2001:db8:1::" + peer + " via 2001:db8:2::" + peer});
  };

  move(cluster.a, "1", "2");
  move(cluster.b, "2", "1");

  expect_reached(true);

  // Programs need the header, and the tunnel's own device has one.
  const TunCable cable(cluster.a.netns, cluster.b.netns);
  std::vector<nlohmann::json> nodes;
  for (const std::size_t index : {0U, 1U}) {
    Cluster::Member& member = cluster.member(index);
    const std::string v4 = "10.9.0." + std::to_string(index + 1);
    const std::string v6 = "fd00:9::" + std::to_string(index + 1);
    member.node.must_run({"sh", "-ec",
                          "ip link set eth0 down; ip addr add " + v4 +
                              "/24 dev tun0; ip link set tun0 up; ip addr add " + v6 +
                              "/64 dev tun0 nodad"});
    member.addresses = {IpAddr::parse(v4).value(), IpAddr::parse(v6).value()};
    nodes.push_back(make_node(member.node.name(), {v4, v6}, member.cidrs));
  }
  cluster.write_nodes(nodes);

  expect_reached(GetParam() == "vxlan");
}

INSTANTIATE_TEST_SUITE_P(By, OddUplinks, testing::Values("direct", "vxlan"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
