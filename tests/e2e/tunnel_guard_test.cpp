// The tunnel accepts packets only from nodes of the cluster, with their network identifier.

#include "damage.hpp"
#include "kube_proxy.hpp"
#include "paths.hpp"
#include "support/packet.hpp"
#include "support/traffic.hpp"
#include "support/udp.hpp"

#include <csignal>
#include <filesystem>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kTunnelPort = 8472;
constexpr std::uint16_t kPodPort = 8080;

class TunnelGuard : public testing::TestWithParam<std::tuple<std::string /*dataplane*/, int>> {
 protected:
  /// Sends from `netns` to node-a's end of the tunnel a packet as of pod-b to pod-a.
  void send_by_tunnel(const NetNs& netns, std::uint32_t vni, const std::string& text) const {
    send_to(netns, cluster.member(0).addresses.front(), kTunnelPort, vni, text);
  }
  void send_to(const NetNs& netns, const IpAddr& to, std::uint16_t port, std::uint32_t vni,
               const std::string& text) const {
    const IpAddr& node_a = cluster.member(0).addresses.front();
    const IpAddr& node_b = cluster.member(1).addresses.front();
    const Frame inner = ip_packet({.family = family,
                                   .dst_mac = MacAddr::derived_from(node_a).str(),
                                   .src_mac = MacAddr::derived_from(node_b).str(),
                                   .src = cluster.pod_b->address.str(),
                                   .dst = cluster.pod_a->address.str(),
                                   .src_port = 40000,
                                   .dst_port = kPodPort});
    std::string packet{'\x08', 0, 0, 0, char(vni >> 16), char(vni >> 8), char(vni), 0};
    packet.append(inner.begin(), inner.end());
    const UdpSocket sender(netns, family);
    EXPECT_TRUE(ok(sender.send(to, port, packet))) << text;
  }

  [[nodiscard]] bool arrives() const {
    return receiver.receive(std::chrono::milliseconds(300)).has_value();
  }

  /// Whether node-a counted the refused packet: by eBPF, or by the rule with that comment.
  void expect_refused(const ExitCounts& before, kubecni_exit_reason reason,
                      const std::string& comment) const {
    if (!cluster.a.is_ebpf()) {
      const std::string table = cluster.a.must_run({"nft", "list", "table", "inet", "kube-cni"});
      EXPECT_THAT(
          table, testing::ContainsRegex("packets 1 bytes [0-9]* drop comment \"" + comment + "\""));
      return;
    }
    const ExitCounts after = cluster.a.counters();
    EXPECT_EQ(grown(before, after, reason), 1u) << growth(before, after);
  }
  [[nodiscard]] ExitCounts counters() const {
    return cluster.a.is_ebpf() ? cluster.a.counters() : ExitCounts{};
  }

  const int family = std::get<1>(GetParam());
  Cluster cluster{{.dataplane = std::get<0>(GetParam()),
                   .families = family == AF_INET ? Families::kV4 : Families::kV6,
                   .topology = Topology::kTwoSegments}};
  UdpSocket receiver{cluster.pod_a->netns, family, kPodPort};
};

TEST_P(TunnelGuard, LetsAnotherNodeIn) {
  send_by_tunnel(cluster.b.netns, 84, "from a node");
  EXPECT_TRUE(arrives());
}

TEST_P(TunnelGuard, RefusesAndCountsHostsOtherThanNodes) {
  const ExitCounts before = counters();

  send_by_tunnel(cluster.underlay.outside, 84, "from outside");

  EXPECT_FALSE(arrives());
  expect_refused(before, KUBECNI_DROP_TUNNEL_SOURCE, "tunnel packets of strangers");
}

TEST_P(TunnelGuard, RefusesAPodThatSendsLikeANode) {
  // Its node does not translate its packets: node-a is part of the cluster, too.
  send_by_tunnel(cluster.pod_b->netns, 84, "from a pod");
  EXPECT_FALSE(arrives());
}

TEST_P(TunnelGuard, RefusesAPodThatAServiceLeadsToATunnelAsItsNode) {
  // kube-proxy gives NodePort packets the node's own address as source.
  constexpr std::uint16_t kNodePort = 30084;
  const bool v4 = family == AF_INET;
  const ProxiedService service{
      .cluster_ip = IpAddr::parse(v4 ? "10.96.0.10" : "fd00:96::10").value(),
      .protocol = IPPROTO_UDP,
      .backends = {cluster.member(0).addresses.front()},
      .backend_port = kTunnelPort,
      .node_port = kNodePort};
  for (const ProxyKind kind : {ProxyKind::kNft, ProxyKind::kIptables}) {
    apply_kube_proxy(kind, cluster.b, service);

    send_to(cluster.pod_b->netns, cluster.member(1).addresses.front(), kNodePort, 84,
            "by a service");

    EXPECT_FALSE(arrives());
  }
  EXPECT_THAT(cluster.b.must_run({"nft", "list", "chain", "inet", "kube-cni", "to_tunnels"}),
              testing::ContainsRegex("packets [1-9]"));
}

TEST_P(TunnelGuard, RefusesAnotherNetworkIdentifier) {
  const ExitCounts before = counters();

  send_by_tunnel(cluster.b.netns, 85, "another cluster's");

  EXPECT_FALSE(arrives());
  expect_refused(before, KUBECNI_DROP_TUNNEL_ID, "tunnel packets of another network");
}

TEST_P(TunnelGuard, KnowsNodesThatComeAndGo) {
  auto nodes = cluster.nodes();
  const IpAddr outside = Underlay::outside_address(family);
  nodes.push_back(
      make_node("node-new", outside.str(), family == AF_INET ? "10.200.9.0/24" : "fd00:10:9::/64"));

  cluster.write_nodes(nodes);
  EXPECT_TRUE(eventually([&] {
    send_by_tunnel(cluster.underlay.outside, 84, "a node now");
    return arrives();
  }));

  nodes.pop_back();
  cluster.write_nodes(nodes);
  EXPECT_TRUE(eventually([&] {
    send_by_tunnel(cluster.underlay.outside, 84, "no node any more");
    return !arrives();
  }));
}

TEST_P(TunnelGuard, IsNetfiltersWhereTheProgramIsNotAttached) {
  if (cluster.a.is_ebpf()) {
    cluster.daemon_a->signal(SIGTERM);
    cluster.daemon_a->wait();
    detach_programs(cluster.a);
    // Nothing can be pinned in its place.
    std::filesystem::create_directory(PinPaths(cluster.a.bpffs()).links / "kcni:vxlan_from_tunnel");
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
    ASSERT_TRUE(eventually([&] {
      return cluster.daemon_a->err().find("kcni:vxlan_from_tunnel") != std::string::npos;
    })) << cluster.daemon_a->err();
  }

  send_by_tunnel(cluster.underlay.outside, 84, "from outside");

  EXPECT_FALSE(arrives());
  EXPECT_THAT(cluster.a.must_run({"nft", "list", "chain", "inet", "kube-cni", "tunnel"}),
              testing::ContainsRegex("packets [1-9][0-9]* bytes [0-9]* drop comment \"tunnel "
                                     "packets of strangers"));
}

INSTANTIATE_TEST_SUITE_P(On, TunnelGuard,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values(AF_INET, AF_INET6)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) +
                                  (std::get<1>(tested.param) == AF_INET ? "_v4" : "_v6");
                         });

}  // namespace
}  // namespace kubecni::test
