// Connections that outlive the programs' flow entries, beside kube-proxy: whatever is removed while
// they are idle, either side may send next.

#include "damage.hpp"
#include "kube_proxy.hpp"
#include "paths.hpp"
#include "served_cluster.hpp"
#include "support/traffic.hpp"
#include "support/udp.hpp"

#include <csignal>
#include <filesystem>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kBackendPort = 8080;

using Setting = std::tuple<int /*family*/, bool /*tunnel*/>;

/// A pod with connections to pods of its own node and of the other one, each both direct and to a
/// service.
class LongLived : public testing::TestWithParam<Setting>, protected ServedCluster {
 protected:
  LongLived() : ServedCluster(std::get<0>(GetParam()), std::get<1>(GetParam())) {}

  struct Flows {
    TcpConnection plain;
    TcpConnection translated;
    UdpSocket udp_client;
    UdpSocket udp_server;
    Datagram udp_seen;
  };

  std::unique_ptr<Flows> connect(const Pod& server) {
    serve(server, IPPROTO_TCP);
    TcpConnection plain({.client = client.netns, .server = server.netns, .to = server.address});
    TcpConnection translated({.client = client.netns,
                              .server = server.netns,
                              .to = service_ip,
                              .port = 80,
                              .server_port = kBackendPort});
    EXPECT_TRUE(ok(plain.client_sends()));
    EXPECT_TRUE(ok(translated.client_sends()));
    serve(server, IPPROTO_UDP);
    UdpSocket udp_client(client.netns, family);
    UdpSocket udp_server(server.netns, family, kBackendPort);
    Datagram seen = must(ask(udp_client, udp_server, service_ip, 80, "first"));
    return std::make_unique<Flows>(std::move(plain), std::move(translated), std::move(udp_client),
                                   std::move(udp_server), seen);
  }

  void serve(const Pod& backend, int protocol) {
    for (const Node* node : {&cluster.a, &cluster.b})
      apply_kube_proxy(ProxyKind::kNft, *node,
                       {.cluster_ip = service_ip,
                        .protocol = protocol,
                        .backends = {backend.address},
                        .backend_port = kBackendPort});
  }

  void expect_alive(Flows& flows) {
    // The server first: its packets must be translated without a request before.
    EXPECT_TRUE(ok(flows.plain.server_sends()));
    EXPECT_TRUE(ok(flows.translated.server_sends()));
    EXPECT_TRUE(ok(flows.plain.client_sends()));
    EXPECT_TRUE(ok(flows.translated.client_sends()));
    EXPECT_TRUE(
        ok(flows.udp_server.send(flows.udp_seen.from, flows.udp_seen.port, "the server again")));
    const auto answer = flows.udp_client.receive();
    ASSERT_TRUE(answer.has_value()) << answer.error().what;
    EXPECT_EQ(answer->from, service_ip);
  }

  void expect_all_alive() {
    for (Flows* flows : {to_neighbour.get(), to_other.get()}) {
      SCOPED_TRACE(flows == to_other.get() ? "other node" : "same node");
      expect_alive(*flows);
    }
  }

  template <typename Damage>
  void on_both_nodes(Damage damage) {
    for (const Node* node : {&cluster.a, &cluster.b}) damage(*node);
  }

  const Pod& client = a;
  std::unique_ptr<Flows> to_neighbour = connect(neighbour);
  std::unique_ptr<Flows> to_other = connect(*cluster.pod_b);
};

TEST_P(LongLived, SurviveThatAllProgramsGoAndComeBack) {
  for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
    (*daemon)->signal(SIGTERM);
    (*daemon)->wait();
  }
  on_both_nodes(detach_programs);
  expect_all_alive();

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  cluster.daemon_b.emplace(cluster.start_daemon(cluster.b));
  ASSERT_TRUE(eventually([&] { return is_attached(cluster.a, 2) && is_attached(cluster.b, 1); }))
      << cluster.daemon_a->err();
  expect_all_alive();

  expect_on_ebpf(cluster.a, cluster.b, tunnel, 2, [&] {
    EXPECT_TRUE(ok(to_other->plain.server_sends()));
    EXPECT_TRUE(ok(to_other->plain.client_sends()));
  });
}

TEST_P(LongLived, SurviveEmptiedMaps) {
  on_both_nodes(empty_maps);
  expect_all_alive();

  on_both_nodes(empty_flows);
  expect_all_alive();
}

TEST_P(LongLived, SurviveAFullFlowTable) {
  on_both_nodes(fill_flows);
  expect_all_alive();
}

INSTANTIATE_TEST_SUITE_P(By, LongLived,
                         testing::Combine(testing::Values(AF_INET, AF_INET6), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == AF_INET ? "v4" : "v6") +
                                  (std::get<1>(tested.param) ? "_vxlan" : "_direct");
                         });

}  // namespace
}  // namespace kubecni::test
