// Nodes and pods reach each other over every underlay, with every routing, family and dataplane;
// and packets on the wire have the right form.

#include "paths.hpp"
#include "support/capture.hpp"
#include "support/packet.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

struct Setting {
  std::string name;
  ClusterOptions options;
};

void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

std::vector<Setting> settings() {
  using enum Topology;
  using enum Families;
  const std::vector<std::string> vxlan{"vxlan"};
  const std::vector<std::string> direct{"direct"};
  return {
      {"one_segment_auto_dual", {.families = kDual}},
      {"one_segment_auto_v6_bridge", {.dataplane = "bridge", .families = kV6}},
      {"one_segment_vxlan_v4", {.routing = vxlan}},
      {"one_segment_vxlan_v6", {.families = kV6, .routing = vxlan}},
      {"one_segment_vxlan_dual_bridge",
       {.dataplane = "bridge", .families = kDual, .routing = vxlan}},
      {"two_segments_auto_v4", {.topology = kTwoSegments}},
      {"two_segments_auto_v6", {.families = kV6, .topology = kTwoSegments}},
      {"two_segments_auto_dual", {.families = kDual, .topology = kTwoSegments}},
      {"two_segments_auto_dual_ipv6_first",
       {.families = kDual, .topology = kTwoSegments, .ipv6_first = true}},
      {"two_segments_auto_v4_bridge", {.dataplane = "bridge", .topology = kTwoSegments}},
      {"two_segments_auto_v6_bridge",
       {.dataplane = "bridge", .families = kV6, .topology = kTwoSegments}},
      {"two_segments_direct_dual",
       {.families = kDual,
        .topology = kTwoSegments,
        .routing = direct,
        .router_carries_pods = true}},
      {"two_segments_direct_dual_bridge",
       {.dataplane = "bridge",
        .families = kDual,
        .topology = kTwoSegments,
        .routing = direct,
        .router_carries_pods = true}},
      {"mixed_auto_dual", {.families = kDual, .topology = kMixed}},
      {"mixed_auto_dual_bridge", {.dataplane = "bridge", .families = kDual, .topology = kMixed}},
      {"mixed_vxlan_v4", {.topology = kMixed, .routing = vxlan}},
  };
}

class Underlays : public testing::TestWithParam<Setting> {
 protected:
  using Member = Cluster::Member;

  /// Whether packets between the two go through the tunnel.
  [[nodiscard]] bool is_tunnelled(std::size_t one, std::size_t other) const {
    if (options.routing == std::vector<std::string>{"vxlan"}) return true;
    if (options.routing == std::vector<std::string>{"direct"}) return false;
    if (options.topology == Topology::kMixed) return (one == 2) != (other == 2);
    return options.topology == Topology::kTwoSegments;
  }

  static void expect_pods_reach(const Pod& from, const Pod& to, int family) {
    const IpAddr address = to.address_of(family);
    EXPECT_TRUE(ok(ping(from.netns, address)));
    EXPECT_TRUE(ok(udp_echo(from.netns, to.netns, address)));
    TcpTransfer transfer(
        {.client = from.netns, .server = to.netns, .to = address, .bytes = 4 << 20});
    EXPECT_TRUE(ok(transfer.finish()));
    EXPECT_EQ(transfer.client_address(), from.address_of(family).str());
  }

  static void expect_nodes_reach(const Member& node, const Member& peer, int family) {
    EXPECT_TRUE(ok(ping(node.node.netns, peer.pod->address_of(family))));
    EXPECT_TRUE(ok(udp_echo(node.node.netns, peer.pod->netns, peer.pod->address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(node.node.netns, peer.pod->netns, peer.pod->address_of(family))));
    EXPECT_TRUE(ok(ping(peer.pod->netns, node.address_of(family))));
    EXPECT_TRUE(ok(udp_echo(peer.pod->netns, node.node.netns, node.address_of(family))));
    EXPECT_TRUE(ok(tcp_transfer(peer.pod->netns, node.node.netns, node.address_of(family))));
  }

  const ClusterOptions options = GetParam().options;
  Cluster cluster{options};
};

TEST_P(Underlays, EverybodyReachesEverybody) {
  for (std::size_t one = 0; one < cluster.size(); ++one) {
    for (std::size_t other = 0; other < cluster.size(); ++other) {
      if (one == other) continue;
      Member& from = cluster.member(one);
      Member& to = cluster.member(other);
      for (const int family : list_of(options.families)) {
        SCOPED_TRACE(from.node.name() + " and " + to.node.name() +
                     (family == AF_INET ? ", v4" : ", v6"));
        expect_on_ebpf(from.node, to.node, is_tunnelled(one, other), 10,
                       [&] { expect_pods_reach(*from.pod, *to.pod, family); });
        expect_nodes_reach(from, to, family);
      }
    }
  }
  EXPECT_EQ(cluster.underlay.leaked(), 0u);
}

void expect_tunnel_format(const WireFrame& frame, const Cluster::Member& one,
                          const Cluster::Member& other) {
  const bool forth = frame.outer.src == one.addresses.front();
  const IpAddr& from = forth ? one.addresses.front() : other.addresses.front();
  const IpAddr& to = forth ? other.addresses.front() : one.addresses.front();
  EXPECT_EQ(frame.outer.src, from) << frame.str();
  EXPECT_EQ(frame.outer.dst, to) << frame.str();
  EXPECT_EQ(frame.outer.dst_port, kVxlanPort) << frame.str();
  EXPECT_EQ(frame.vni, 84u) << frame.str();
  // Also over IPv6, RFC 6935: some NICs would compute a wrong one.
  EXPECT_EQ(frame.outer.udp_checksum, 0) << frame.str();
  EXPECT_EQ(frame.inner->src_mac, MacAddr::derived_from(from)) << frame.str();
  EXPECT_EQ(frame.inner->dst_mac, MacAddr::derived_from(to)) << frame.str();
}

TEST_P(Underlays, TheWireSeesTheTunnelOrThePodsAndNeverBoth) {
  const std::size_t last = cluster.size() - 1;
  Member& one = cluster.member(0);
  Member& other = cluster.member(last);
  for (const int family : list_of(options.families)) {
    SCOPED_TRACE(family);
    Capture capture(one.port);

    expect_pods_reach(*one.pod, *other.pod, family);
    expect_pods_reach(*other.pod, *one.pod, family);
    // Nodes, too: a router that knows no PodCIDR would drop packets outside of the tunnel.
    EXPECT_TRUE(ok(ping(one.pod->netns, other.address_of(family))));
    EXPECT_TRUE(ok(ping(one.node.netns, other.pod->address_of(family))));

    const auto plain = capture.plain(one.pod->address_of(family));
    const auto tunnelled = capture.tunnelled(one.pod->address_of(family));
    if (is_tunnelled(0, last)) {
      EXPECT_TRUE(plain.empty()) << plain.front().str();
      EXPECT_GT(tunnelled.size(), 50u);
      for (const WireFrame& frame : tunnelled) {
        expect_tunnel_format(frame, one, other);
        if (HasFailure()) break;
      }
    } else {
      EXPECT_TRUE(tunnelled.empty()) << tunnelled.front().str();
      EXPECT_GT(plain.size(), 50u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(By, Underlays, testing::ValuesIn(settings()),
                         [](const auto& tested) { return tested.param.name; });

/// Nodes may use different ways.
class DifferentRoutings : public testing::TestWithParam<std::string> {
 protected:
  Cluster cluster{{.dataplane = GetParam(),
                   .families = Families::kDual,
                   .topology = Topology::kMixed,
                   .routing = {"auto", "vxlan", "vxlan"}}};
};

TEST_P(DifferentRoutings, ReachEachOtherAllTheSame) {
  for (const int family : {AF_INET, AF_INET6}) {
    for (std::size_t one = 0; one < 3; ++one) {
      for (std::size_t other = 0; other < 3; ++other) {
        if (one == other) continue;
        SCOPED_TRACE(std::to_string(one) + " to " + std::to_string(other));
        const Pod& from = *cluster.member(one).pod;
        const Pod& to = *cluster.member(other).pod;
        EXPECT_TRUE(ok(ping(from.netns, to.address_of(family))));
        EXPECT_TRUE(ok(tcp_transfer(from.netns, to.netns, to.address_of(family))));
        EXPECT_TRUE(ok(ping(cluster.member(one).node.netns, to.address_of(family))));
        EXPECT_TRUE(ok(tcp_transfer(from.netns, cluster.member(other).node.netns,
                                    cluster.member(other).address_of(family))));
      }
    }
  }
}

TEST_P(DifferentRoutings, EachWayIsThatOfItsSender) {
  Capture capture(cluster.member(0).port);
  const IpAddr a = cluster.pod_a->address_of(AF_INET);
  const IpAddr b = cluster.pod_b->address_of(AF_INET);

  EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, b)));

  for (const WireFrame& frame : capture.plain(a)) EXPECT_EQ(frame.outer.src, a) << frame.str();
  for (const WireFrame& frame : capture.tunnelled(a)) EXPECT_EQ(frame.inner->src, b) << frame.str();
  EXPECT_GT(capture.plain(a).size(), 10u);
  EXPECT_GT(capture.tunnelled(a).size(), 2u);
}

TEST_P(DifferentRoutings, ReachEachOtherOverStrictLinks) {
  // A reaches B directly, and B reaches A through the tunnel.
  const auto accepts_both_ways = [&] {
    return cluster.b.must_run({"sysctl", "-n", "net.ipv4.conf.eth0.src_valid_mark"}) == "1\n" &&
           cluster.b.must_run({"nft", "list", "chain", "inet", "kube-cni", "from_nodes"})
               .contains("meta mark set");
  };
  for (std::size_t i = 0; i < 3; ++i)
    cluster.member(i).node.must_run(
        {"sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1"});
  ASSERT_TRUE(eventually(accepts_both_ways)) << cluster.daemon_b->err();

  for (std::size_t one = 0; one < 3; ++one) {
    for (std::size_t other = 0; other < 3; ++other) {
      if (one == other) continue;
      SCOPED_TRACE(std::to_string(one) + " to " + std::to_string(other));
      const NetNs& from = cluster.member(one).pod->netns;
      const NetNs& to = cluster.member(other).pod->netns;
      const NetNs& node = cluster.member(other).node.netns;
      const IpAddr address = cluster.member(other).pod->address;
      // Fragments take the kernel path.
      EXPECT_EQ(run({.argv = {"ping", "-c", "1", "-W", "2", "-s", "4000", address.str()},
                     .netns_fd = from.fd()})
                    .status,
                0);
      EXPECT_TRUE(ok(tcp_transfer(from, to, address)));
      EXPECT_TRUE(ok(tcp_transfer(from, node, cluster.member(other).address_of(AF_INET))));
      EXPECT_TRUE(ok(tcp_transfer(cluster.member(one).node.netns, to, address)));
    }
  }

  cluster.b.must_run({"sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=0"});
  EXPECT_TRUE(eventually([&] {
    return !cluster.b.must_run({"ip", "rule"}).contains("lookup 86") &&
           !cluster.b.must_run({"nft", "list", "ruleset"}).contains("the way back");
  })) << cluster.daemon_b->err();
}

INSTANTIATE_TEST_SUITE_P(On, DifferentRoutings, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

TEST(TunnelOptions, OtherPortAndNetworkIdentifierAreOnTheWire) {
  Cluster cluster({.topology = Topology::kTwoSegments,
                   .daemon_options = {"--vxlan-port", "4789", "--vxlan-vni", "1234567"}});
  Capture capture(cluster.member(0).port, 4789);
  const IpAddr a = cluster.pod_a->address;

  expect_on_ebpf(cluster.a, cluster.b, true, 10, [&] {
    EXPECT_TRUE(
        ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));
    EXPECT_TRUE(ok(tcp_transfer(cluster.pod_b->netns, cluster.pod_a->netns, a)));
  });

  ASSERT_FALSE(capture.tunnelled(a).empty());
  for (const WireFrame& frame : capture.tunnelled(a)) ASSERT_EQ(frame.vni, 1234567u) << frame.str();
}

// A pod sends segments of 64 KiB. The kernel cuts them into packets with an outer header each.
TEST(TunnelOverASimpleNic, CarriesLargeSegmentsOfPods) {
  Cluster cluster({.families = Families::kDual, .topology = Topology::kTwoSegments});
  for (const Node* node : {&cluster.a, &cluster.b})
    node->must_run({"ethtool", "-K", "eth0", "tso", "off", "tx-udp_tnl-segmentation", "off",
                    "tx-udp_tnl-csum-segmentation", "off", "tx-checksumming", "off"});
  Capture capture(cluster.a.netns, "eth0");
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr pod_b = cluster.pod_b->address_of(family);
    expect_on_ebpf(cluster.a, cluster.b, true, 100, [&] {
      EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, pod_b, 4 << 20)));
      EXPECT_TRUE(ok(tcp_transfer(cluster.pod_b->netns, cluster.pod_a->netns,
                                  cluster.pod_a->address_of(family), 4 << 20)));
    });
    const auto frames = capture.tunnelled(cluster.pod_a->address_of(family));
    EXPECT_GT(frames.size(), 2 * (4U << 20) / 1514);
    for (const WireFrame& frame : frames) {
      ASSERT_LE(frame.bytes.size(), 1514u) << frame.str();
      const std::size_t outer = 14 + (frame.outer.src.is_v4() ? 20U : 40U) + 8 + 8;
      ASSERT_TRUE(has_right_checksums(std::span(frame.bytes).subspan(outer))) << frame.str();
    }
  }
}

// A pod's own tunnel: the programs cannot put a second header in front of its segments.
TEST(TunnelInTheTunnel, CarriesLargeSegmentsOfPods) {
  Cluster cluster({.topology = Topology::kTwoSegments});
  const Pod& a = *cluster.pod_a;
  const Pod& b = *cluster.pod_b;
  const auto add_tunnel = [](const Pod& here, const Pod& there, const std::string& address) {
    Node::must_run_in(here.netns,
                      {"sh", "-ec",
                       "ip link add own type vxlan id 5 dstport 4790 local " + here.address.str() +
                           " remote " + there.address.str() + " dev eth0; ip addr add " + address +
                           " dev own; ip link set own up"});
  };
  add_tunnel(a, b, "172.31.0.1/24");
  add_tunnel(b, a, "172.31.0.2/24");
  const auto before = cluster.a.counters();

  EXPECT_TRUE(ok(tcp_transfer(a.netns, b.netns, IpAddr::v4({172, 31, 0, 2}), 4 << 20)));

  const auto after = cluster.a.counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_TO_TUNNEL), 50u) << growth(before, after);
}

// Nodes accept tunnel packets only from each other's InternalIPs, but have other addresses, too.
TEST(UnderlayOfMoreAddresses, TunnelPacketsComeFromTheInternalIp) {
  Cluster cluster({.families = Families::kDual, .topology = Topology::kTwoSegments});
  cluster.a.must_run({"ip", "addr", "add", "2001:db8:1::202/64", "dev", "eth0", "nodad"});
  // Now the primary one is another.
  cluster.a.must_run(
      {"sh", "-c",
       "ip addr del 192.0.2.1/24 dev eth0 && ip addr add 192.0.2.101/24 dev eth0 &&"
       " ip addr add 192.0.2.1/24 dev eth0 && ip route add default via 192.0.2.254"});
  ASSERT_TRUE(eventually([&] { return cluster.is_complete(); }));

  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr pod_b = cluster.pod_b->address_of(family);
    EXPECT_TRUE(ok(tcp_transfer(cluster.pod_a->netns, cluster.pod_b->netns, pod_b)));
    EXPECT_TRUE(ok(ping(cluster.a.netns, pod_b)));
    EXPECT_TRUE(ok(ping(cluster.pod_b->netns, cluster.pod_a->address_of(family))));
  }
}

}  // namespace
}  // namespace kubecni::test
