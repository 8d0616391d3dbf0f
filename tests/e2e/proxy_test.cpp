// Beside kube-proxy, by its kind of rules, family, and way between the nodes: translated flows get
// answers, and everything else takes eBPF.

#include "damage.hpp"
#include "kube_proxy.hpp"
#include "paths.hpp"
#include "served_cluster.hpp"
#include "support/cni_list.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <map>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint16_t kBackendPort = 8080;
constexpr std::uint16_t kNodePort = 30080;

struct Call {
  const NetNs& client;
  IpAddr to;
  std::uint16_t port;
  const Pod& backend;
};

class BesideKubeProxy : public testing::TestWithParam<ProxySetting>, protected ServedCluster {
 protected:
  BesideKubeProxy() : ServedCluster(std::get<1>(GetParam()), std::get<2>(GetParam())) {}

  /// Makes `backends` the service's, on both nodes.
  void serve(const std::vector<const Pod*>& backends, int protocol, bool local = false) {
    ProxiedService service{.cluster_ip = service_ip,
                           .protocol = protocol,
                           .backends = {},
                           .backend_port = kBackendPort,
                           .node_port = kNodePort,
                           .local = local};
    std::map<const Node*, std::vector<IpAddr>> by_node;
    for (const Pod* backend : backends) {
      service.backends.push_back(backend->address);
      by_node[backend == &b ? &cluster.b : &cluster.a].push_back(backend->address);
    }
    for (const Node* node : {&cluster.a, &cluster.b})
      apply_kube_proxy(kind, *node, service, by_node[node]);
  }

  /// A call by TCP and one by UDP, which must reach the backend and get an answer. Returns the
  /// source address that the backend saw.
  IpAddr expect_served(const Call& call, bool local = false) {
    serve({&call.backend}, IPPROTO_TCP, local);
    TcpTransfer transfer({.client = call.client,
                          .server = call.backend.netns,
                          .to = call.to,
                          .port = call.port,
                          .server_port = kBackendPort,
                          .bytes = 2 << 20,
                          .deadline = std::chrono::seconds(10)});
    EXPECT_TRUE(ok(transfer.finish())) << "TCP to " << call.to.str();
    serve({&call.backend}, IPPROTO_UDP, local);
    const auto seen = udp_echo({.client = call.client,
                                .server = call.backend.netns,
                                .to = call.to,
                                .port = call.port,
                                .server_port = kBackendPort});
    EXPECT_TRUE(seen.has_value()) << "UDP: " << (seen ? "" : seen.error().what);
    if (!seen) return {};
    EXPECT_EQ(seen->str(), transfer.client_address());
    return *seen;
  }

  [[nodiscard]] IpAddr node_ip(std::size_t index) {
    return cluster.member(index).address_of(family);
  }

  const ProxyKind kind = std::get<0>(GetParam());
};

TEST_P(BesideKubeProxy, PodReachesTheServiceOnEachBackend) {
  EXPECT_EQ(expect_served({a.netns, service_ip, 80, neighbour}), a.address) << "same node";
  EXPECT_EQ(expect_served({a.netns, service_ip, 80, b}), a.address) << "other node";
  EXPECT_NE(expect_served({a.netns, service_ip, 80, a}), a.address) << "the pod itself";
}

TEST_P(BesideKubeProxy, NodeReachesTheServiceOnEachBackend) {
  expect_served({cluster.a.netns, service_ip, 80, a});
  expect_served({cluster.a.netns, service_ip, 80, b});
}

TEST_P(BesideKubeProxy, OutsideReachesTheNodePort) {
  const NetNs& outside = cluster.underlay.outside;
  const IpAddr address = Underlay::outside_address(family);

  EXPECT_NE(expect_served({outside, node_ip(0), kNodePort, a}), address) << "translated";
  EXPECT_NE(expect_served({outside, node_ip(0), kNodePort, b}), address) << "translated";
  EXPECT_EQ(expect_served({outside, node_ip(0), kNodePort, a}, true), address);
}

TEST_P(BesideKubeProxy, PodReachesTheNodePortOfItsNodeAndOfAnother) {
  for (const std::size_t node : {0U, 1U}) {
    for (const Pod* backend : {&neighbour, &b}) {
      SCOPED_TRACE("node " + std::to_string(node) + ", " + backend->container_id);
      EXPECT_NE(expect_served({a.netns, node_ip(node), kNodePort, *backend}), a.address);
    }
  }
  // For externalTrafficPolicy Local a pod counts as inside: DNAT alone. (Through another node to a
  // backend on its own node it cannot work: the answers bypass the other node.)
  EXPECT_EQ(expect_served({a.netns, node_ip(0), kNodePort, neighbour}, true), a.address);
  EXPECT_EQ(expect_served({a.netns, node_ip(0), kNodePort, b}, true), a.address);
  EXPECT_EQ(expect_served({a.netns, node_ip(1), kNodePort, b}, true), a.address);
}

TEST_P(BesideKubeProxy, APortThatNobodyListensOnRefuses) {
  for (const Pod* backend : {&neighbour, &b, &a}) {
    SCOPED_TRACE(backend->container_id);
    serve({backend}, IPPROTO_UDP);

    EXPECT_TRUE(ok(udp_refused(a.netns, backend->address)));
    EXPECT_TRUE(ok(udp_refused(a.netns, service_ip, 80)));
    EXPECT_TRUE(ok(udp_refused(cluster.a.netns, service_ip, 80)));
    EXPECT_TRUE(ok(udp_refused(cluster.underlay.outside, node_ip(0), kNodePort)));
  }
}

TEST_P(BesideKubeProxy, SeveralBackendsShareTheCalls) {
  serve({&neighbour, &b}, IPPROTO_TCP);
  // Both listen; one of them gets the call.
  bool by_neighbour = false;
  bool by_b = false;
  for (int i = 0; i < 30 && !(by_neighbour && by_b); ++i) {
    TcpTransfer::Options options{.client = a.netns,
                                 .server = neighbour.netns,
                                 .to = service_ip,
                                 .port = 80,
                                 .server_port = kBackendPort,
                                 .bytes = 1000};
    const bool served = TcpTransfer(options).finish().has_value();
    (served ? by_neighbour : by_b) = true;
  }

  EXPECT_TRUE(by_neighbour);
  EXPECT_TRUE(by_b) << "or a call was refused";
}

TEST_P(BesideKubeProxy, PlainFlowsAreOnEbpf) {
  expect_served({a.netns, service_ip, 80, b});
  expect_served({a.netns, service_ip, 80, neighbour});

  expect_on_ebpf(cluster.a, cluster.b, tunnel, 20, [&] {
    EXPECT_TRUE(ok(ping(a.netns, b.address)));
    EXPECT_TRUE(ok(udp_echo(a.netns, b.netns, b.address)));
    EXPECT_TRUE(ok(tcp_transfer(b.netns, a.netns, a.address)));
  });
  expect_on_ebpf(cluster.a, 20, [&] {
    EXPECT_TRUE(ok(udp_echo(a.netns, neighbour.netns, neighbour.address)));
    EXPECT_TRUE(ok(tcp_transfer(neighbour.netns, a.netns, a.address)));
  });
}

TEST_P(BesideKubeProxy, APlainFlowThatBeganBeforeThePrograms) {
  serve({&b}, IPPROTO_TCP);
  for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
    (*daemon)->signal(SIGTERM);
    (*daemon)->wait();
  }
  for (const Node* node : {&cluster.a, &cluster.b}) detach_programs(*node);
  TcpConnection to_other({.client = a.netns, .server = b.netns, .to = b.address});
  TcpConnection to_neighbour(
      {.client = a.netns, .server = neighbour.netns, .to = neighbour.address});
  EXPECT_TRUE(ok(to_other.client_sends()));
  EXPECT_TRUE(ok(to_neighbour.client_sends()));

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  cluster.daemon_b.emplace(cluster.start_daemon(cluster.b));
  ASSERT_TRUE(eventually([&] { return is_attached(cluster.a, 2) && is_attached(cluster.b, 1); }))
      << cluster.daemon_a->err();

  expect_on_ebpf(cluster.a, cluster.b, tunnel, 2, [&] {
    EXPECT_TRUE(ok(to_other.server_sends()));
    EXPECT_TRUE(ok(to_other.client_sends()));
  });
  expect_on_ebpf(cluster.a, 2, [&] {
    EXPECT_TRUE(ok(to_neighbour.server_sends()));
    EXPECT_TRUE(ok(to_neighbour.client_sends()));
  });
}

INSTANTIATE_TEST_SUITE_P(By, BesideKubeProxy,
                         testing::Combine(testing::Values(ProxyKind::kNft, ProxyKind::kIptables),
                                          testing::Values(AF_INET, AF_INET6), testing::Bool()),
                         [](const auto& tested) { return name_of(tested.param); });

/// A pod with a host port in a cluster: kube-cni's own, and Debian's portmap.
class HostPort : public testing::TestWithParam<std::tuple<bool /*tunnel*/, bool /*portmap*/>> {
 protected:
  /// The list in which one of the two is told the port.
  [[nodiscard]] std::vector<nlohmann::json> plugins() const {
    const nlohmann::json told{{"portMappings", true}};
    nlohmann::json own{{"type", "kube-cni"}, {"subnet", nullptr}, {"ipam", nullptr}};
    if (has_portmap) return {own, {{"type", "portmap"}, {"capabilities", told}}};
    own["capabilities"] = told;
    return {own};
  }

  const bool tunnel = std::get<0>(GetParam());
  const bool has_portmap = std::get<1>(GetParam());
  Cluster cluster{
      {.families = Families::kDual,
       .routing = tunnel ? std::vector<std::string>{"vxlan"} : std::vector<std::string>{}}};
};

TEST_P(HostPort, AnswersPodsOfBothNodesAndTheOutside) {
  const nlohmann::json ports{
      {"portMappings",
       {{{"hostPort", 18080}, {"containerPort", kBackendPort}, {"protocol", "tcp"}}}}};
  CniList list(cluster.a, plugins());
  Pod pod("mapped");
  ASSERT_TRUE(ok(list.add(pod, ports)));

  for (const int family : {AF_INET, AF_INET6}) {
    for (const NetNs* client : {&cluster.pod_a->netns, &cluster.pod_b->netns,
                                &cluster.underlay.outside, &cluster.b.netns, &cluster.a.netns}) {
      SCOPED_TRACE(client->name() + (family == AF_INET ? " v4" : " v6"));
      EXPECT_TRUE(ok(TcpTransfer({.client = *client,
                                  .server = pod.netns,
                                  .to = cluster.member(0).address_of(family),
                                  .port = 18080,
                                  .server_port = kBackendPort,
                                  .deadline = std::chrono::seconds(5)})
                         .finish()));
    }
  }
  EXPECT_TRUE(ok(list.del(pod)));
}

INSTANTIATE_TEST_SUITE_P(By, HostPort, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) ? "vxlan" : "direct") +
                                  (std::get<1>(tested.param) ? "_portmap" : "");
                         });

}  // namespace
}  // namespace kubecni::test
