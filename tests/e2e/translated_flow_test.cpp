// Flows that netfilter translates, carried by eBPF: beside kube-proxy, host ports and our own
// masquerade, by each kind of rules, family, and way between the nodes. Each byte is compared.

#include "damage.hpp"
#include "kube_proxy.hpp"
#include "served_cluster.hpp"
#include "support/capture.hpp"
#include "support/packet.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <functional>
#include <tuple>
#include <vector>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kBackendPort = 8080;
constexpr std::uint16_t kNodePort = 30080;
constexpr std::uint16_t kHostPort = 18080;

class TranslatedFlow : public testing::TestWithParam<ProxySetting>, protected ServedCluster {
 protected:
  TranslatedFlow() : ServedCluster(std::get<1>(GetParam()), std::get<2>(GetParam())) {}

  /// A flow, and the node that translates it.
  struct Way {
    std::string name;
    const NetNs& client;
    const NetNs& server;
    IpAddr to;
    std::uint16_t port;
    std::uint16_t server_port;
  };

  void serve(const Pod& backend, const Node& node, unsigned other_services = 0) const {
    const ProxiedService service{.cluster_ip = service_ip,
                                 .backends = {backend.address},
                                 .backend_port = kBackendPort,
                                 .node_port = kNodePort,
                                 .others = other_services};
    apply_kube_proxy(kind, cluster.a, service,
                     &node == &cluster.a ? std::vector{backend.address} : std::vector<IpAddr>{});
  }
  [[nodiscard]] Way to_service(const Pod& backend) const {
    return {"service", a.netns, backend.netns, service_ip, 80, kBackendPort};
  }
  [[nodiscard]] TcpConnection::Options call_of_service(const Pod& backend,
                                                       std::uint16_t source_port = 0) const {
    return {.client = a.netns,
            .server = backend.netns,
            .to = service_ip,
            .port = 80,
            .server_port = kBackendPort,
            .source_port = source_port};
  }
  [[nodiscard]] Way to_node_port(const Pod& backend) const {
    return {"node port",   cluster.underlay.outside,
            backend.netns, cluster.member(0).address_of(family),
            kNodePort,     kBackendPort};
  }
  [[nodiscard]] Way to_outside() const {
    const IpAddr outside = Underlay::outside_address(family);
    return {"outside", a.netns, cluster.underlay.outside, outside, 5001, 5001};
  }
  [[nodiscard]] Way to_host_port(const NetNs& client, const Pod& mapped) const {
    return {"host port from " + client.name(),    client,    mapped.netns,
            cluster.member(0).address_of(family), kHostPort, kBackendPort};
  }
  static TcpTransfer::Options options(const Way& way) {
    return {.client = way.client,
            .server = way.server,
            .to = way.to,
            .port = way.port,
            .server_port = way.server_port,
            .bytes = 8 << 20};
  }

  /// The flow gets through, and few of its packets take the kernel path.
  void expect_carried(const Way& way) const {
    SCOPED_TRACE(way.name);
    const auto before = cluster.a.counters();
    EXPECT_TRUE(ok(TcpTransfer(options(way)).finish()));
    const auto after = cluster.a.counters();
    EXPECT_GT(translated_in(after) - translated_in(before), 100u) << growth(before, after);
    EXPECT_LT(grown(before, after, KUBECNI_PASS_NO_WAY), 20u) << growth(before, after);
    EXPECT_LT(grown(before, after, KUBECNI_PASS_HANDSHAKE), 20u) << growth(before, after);
  }

  /// The flow survives `damage` in mid-stream.
  void expect_to_survive(const Way& way, const std::function<void()>& damage) const {
    SCOPED_TRACE(way.name);
    TcpTransfer::Options slow = options(way);
    slow.bytes = TcpTransfer::kUntilFinish;
    slow.bytes_per_second = 16 << 20;
    TcpTransfer transfer(slow);
    ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 2 << 20; }));
    damage();
    EXPECT_TRUE(ok(transfer.finish()));
  }

  /// A new daemon puts them on again.
  void take_the_programs_off() const {
    detach_programs(cluster.a);
    cluster.daemon_a->signal(SIGKILL);
    cluster.daemon_a->wait();
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  }
  void await_programs() const {
    ASSERT_TRUE(eventually([&] { return is_attached(cluster.a, 2); })) << cluster.daemon_a->err();
  }

  static std::uint64_t translated_in(const ExitCounts& counts) {
    return counts[KUBECNI_FAST_TRANSLATED_TO_POD].packets +
           counts[KUBECNI_FAST_TRANSLATED_TO_HOST].packets;
  }
  [[nodiscard]] std::uint64_t translated() const { return translated_in(cluster.a.counters()); }

  const ProxyKind kind = std::get<0>(GetParam());
};

TEST_P(TranslatedFlow, IsCarriedByEbpfToEachKindOfDestination) {
  serve(neighbour, cluster.a);
  expect_carried(to_service(neighbour));
  expect_carried(to_node_port(neighbour));
  serve(a, cluster.a);
  expect_carried(to_service(a));
  serve(b, cluster.b);
  expect_carried(to_service(b));
  expect_carried(to_node_port(b));
  expect_carried(to_outside());
}

TEST_P(TranslatedFlow, IsCarriedByEbpfToAHostPort) {
  const Pod mapped = cluster.a.add_pod(
      "mapped",
      {{"subnet", nullptr},
       {"ipam", nullptr},
       {"runtimeConfig",
        {{"portMappings", {{{"hostPort", kHostPort}, {"containerPort", kBackendPort}}}}}}});
  for (const NetNs* client :
       std::vector<const NetNs*>{&cluster.underlay.outside, &a.netns, &mapped.netns, &b.netns})
    expect_carried(to_host_port(*client, mapped));
}

TEST_P(TranslatedFlow, GoesOnWhateverIsTakenAwayInTheMiddle) {
  serve(b, cluster.b);
  for (const Way& way : {to_service(b), to_node_port(b), to_outside()}) {
    expect_to_survive(way, [&] { take_the_programs_off(); });
    await_programs();
    expect_to_survive(way, [&] {
      empty_maps(cluster.a);
      empty_flows(cluster.a);
    });
  }
}

TEST_P(TranslatedFlow, OfAHundredMegabytesAmongTwoThousandServicesGoesOnWhilePathsSwitch) {
  serve(b, cluster.b, 2000);
  TcpTransfer::Options large = options(to_service(b));
  large.bytes = TcpTransfer::kUntilFinish;
  large.bytes_per_second = 24 << 20;
  TcpTransfer transfer(large);
  for (unsigned switches = 0; switches < 3 || transfer.bytes_received() < 100 << 20; ++switches) {
    const auto before = translated();
    ASSERT_TRUE(eventually([&] { return translated() > before; }))
        << transfer.bytes_received() << " bytes arrived";
    take_the_programs_off();
    await_programs();
  }
  EXPECT_TRUE(ok(transfer.finish()));
}

TEST_P(TranslatedFlow, ArrivesWithRightChecksumsWhereNoNicComputesThem) {
  for (const Pod* pod : {&a, &b, &neighbour})
    Node::must_run_in(pod->netns, {"ethtool", "-K", "eth0", "tx", "off", "sg", "off", "tso", "off",
                                   "gso", "off", "gro", "off"});
  // Else it would join packets, and leave the sum to a NIC.
  for (const Node* node : {&cluster.a, &cluster.b})
    if (tunnel) node->must_run({"ethtool", "-K", "kcni.vxlan", "gro", "off"});
  const auto expect_right = [&](const Pod& backend, const Node& node) {
    serve(backend, node);
    Capture at_client(a.netns, "eth0");
    Capture at_server(backend.netns, "eth0");
    const auto before = translated();
    TcpConnection connection(call_of_service(backend));
    EXPECT_TRUE(ok(connection.client_sends(200'001)));
    EXPECT_TRUE(ok(connection.server_sends(200'001)));
    EXPECT_GT(translated() - before, 100u);
    for (Capture* capture : {&at_client, &at_server}) {
      const auto frames = capture->plain(capture == &at_client ? service_ip : a.address);
      EXPECT_GT(frames.size(), 100u);
      for (const WireFrame& frame : frames)
        ASSERT_TRUE(has_right_checksums(frame.bytes)) << frame.str();
    }
  };
  expect_right(neighbour, cluster.a);
  expect_right(b, cluster.b);
}

TEST_P(TranslatedFlow, IsTheKernelsWhileAHelperReadsIt) {
  serve(b, cluster.b);
  cluster.a.must_run({"nft",
                      "table inet helper {"
                      " ct helper reader { type \"ftp\" protocol tcp; };"
                      " chain choose { type filter hook prerouting priority -150;"
                      " ct state new tcp dport 80 ct helper set \"reader\"; }; }"});
  const auto before = cluster.a.counters();

  EXPECT_TRUE(ok(TcpTransfer(options(to_service(b))).finish()));

  const auto after = cluster.a.counters();
  EXPECT_EQ(translated_in(after), translated_in(before));
  EXPECT_GT(grown(before, after, KUBECNI_PASS_SPECIAL_TRANSLATION), 100u) << growth(before, after);
}

TEST_P(TranslatedFlow, GoesOnWhenConntrackIsFull) {
  serve(b, cluster.b);
  TcpConnection connection(call_of_service(b));
  ASSERT_TRUE(ok(connection.client_sends(2 << 20)));
  ASSERT_TRUE(ok(connection.server_sends(2 << 20)));
  const auto before = translated();

  fill_conntrack(cluster.a);

  EXPECT_TRUE(ok(connection.client_sends(2 << 20)));
  EXPECT_TRUE(ok(connection.server_sends(2 << 20)));
  EXPECT_GT(translated(), before);
  detach_programs(cluster.a);
  EXPECT_TRUE(ok(connection.client_sends())) << "conntrack gave the entry up";
}

TEST_P(TranslatedFlow, IsAskedAboutAgainWhenItsEntryIsDeleted) {
  serve(neighbour, cluster.a);
  TcpConnection connection(call_of_service(neighbour));
  ASSERT_TRUE(ok(connection.client_sends(2 << 20)));
  const auto before = translated();
  ASSERT_TRUE(ok(connection.server_sends()));
  ASSERT_GT(translated(), before);

  // The rules are there still, so netfilter translates the flow once more.
  cluster.a.must_run({"conntrack", "-F", "conntrack"});
  EXPECT_TRUE(ok(connection.client_sends(2 << 20)));
  EXPECT_TRUE(ok(connection.server_sends(2 << 20)));
}

TEST_P(TranslatedFlow, LeavesTheClusterByTheKernelWhereIpsecMayHaveToEncryptIt) {
  cluster.a.must_run({"ip", "xfrm", "policy", "add", "src", "203.0.113.77/32", "dst",
                      "203.0.113.78/32", "dir", "out", "tmpl", "mode", "tunnel", "proto", "esp",
                      "src", "203.0.113.77", "dst", "203.0.113.78"});
  ASSERT_TRUE(eventually([&] {
    return must(cluster.a.dataplane().node_config.read()).may_bypass_ipsec == 0;
  })) << cluster.daemon_a->err();
  const auto before = translated();

  EXPECT_TRUE(ok(TcpTransfer(options(to_outside())).finish()));

  EXPECT_EQ(translated(), before);
}

TEST_P(TranslatedFlow, KeepsTheAddressesThatBothEndsSee) {
  serve(neighbour, cluster.a);
  for (int time = 0; time < 2; ++time) {  // also by the same ports as before
    TcpConnection connection(call_of_service(neighbour, 41000));
    EXPECT_TRUE(ok(connection.client_sends()));
    EXPECT_TRUE(ok(connection.server_sends()));
    EXPECT_EQ(connection.client_address(), a.address);
  }
}

INSTANTIATE_TEST_SUITE_P(By, TranslatedFlow,
                         testing::Combine(testing::Values(ProxyKind::kNft, ProxyKind::kIptables),
                                          testing::Values(AF_INET, AF_INET6), testing::Bool()),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace kubecni::test
