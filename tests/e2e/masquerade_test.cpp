// The source address that hosts outside of the cluster see, with the daemon's table.

#include "cluster.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <tuple>

namespace kubecni::test {
namespace {

/// The address that `server` sees, by UDP; empty if there is no answer.
IpAddr seen_by(const NetNs& server, const Pod& client, const IpAddr& to) {
  auto seen = udp_echo(
      {.client = client.netns, .server = server, .to = to, .deadline = std::chrono::seconds(1)});
  return seen.value_or(IpAddr());
}

class Masquerade : public testing::TestWithParam<std::tuple<std::string /*dataplane*/, bool>> {
 protected:
  Cluster make(std::vector<std::string> daemon_options = {}) const {
    return Cluster({.dataplane = std::get<0>(GetParam()),
                    .families = Families::kDual,
                    .routing = {std::get<1>(GetParam()) ? "vxlan" : "auto"},
                    .daemon_options = std::move(daemon_options)});
  }
};

TEST_P(Masquerade, TheOutsideSeesTheNodeAndTheClusterSeesThePod) {
  const Cluster cluster = make();
  const Pod& pod = *cluster.pod_a;
  const NetNs& outside = cluster.underlay.outside;

  for (const int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family);
    const IpAddr own = pod.address_of(family);
    const IpAddr out = Underlay::outside_address(family);
    EXPECT_EQ(seen_by(outside, pod, out), cluster.member(0).address_of(family));
    EXPECT_TRUE(ok(ping(pod.netns, out)));
    EXPECT_TRUE(ok(tcp_transfer(pod.netns, outside, out)));
    EXPECT_EQ(seen_by(cluster.pod_b->netns, pod, cluster.pod_b->address_of(family)), own);
    EXPECT_EQ(seen_by(cluster.b.netns, pod, cluster.member(1).address_of(family)), own);
    // Not by UDP: a server without an address of its own answers from the bridge's.
    EXPECT_EQ(TcpConnection({.client = pod.netns,
                             .server = cluster.a.netns,
                             .to = cluster.member(0).address_of(family)})
                  .client_address(),
              own);
  }
  EXPECT_EQ(cluster.underlay.leaked(), 0u);
}

TEST_P(Masquerade, AnExceptionSeesThePod) {
  const Cluster cluster =
      make({"--non-masquerade-cidr", "203.0.113.0/24", "--non-masquerade-cidr", "2001:db8:f::/64"});
  for (const int family : {AF_INET, AF_INET6})
    cluster.underlay.carry(cluster.member(0).cidr_of(family), cluster.member(0).address_of(family));

  for (const int family : {AF_INET, AF_INET6})
    EXPECT_EQ(seen_by(cluster.underlay.outside, *cluster.pod_a, Underlay::outside_address(family)),
              cluster.pod_a->address_of(family));
}

TEST_P(Masquerade, OffSendsPodsAddresses) {
  const Cluster cluster = make({"--masquerade", "off"});

  EXPECT_EQ(seen_by(cluster.underlay.outside, *cluster.pod_a, Underlay::outside_address(AF_INET)),
            IpAddr());
  EXPECT_GT(cluster.underlay.leaked(), 0u);
}

TEST_P(Masquerade, ATableThatIsRemovedComesBack) {
  const Cluster cluster = make();
  cluster.a.must_run({"nft", "delete", "table", "inet", "kube-cni"});

  EXPECT_TRUE(eventually(
      [&] {
        return cluster.a.must_run({"nft", "list", "tables"}).find("inet kube-cni") !=
               std::string::npos;
      },
      std::chrono::seconds(14)));

  EXPECT_EQ(seen_by(cluster.underlay.outside, *cluster.pod_a, Underlay::outside_address(AF_INET)),
            cluster.member(0).address_of(AF_INET));
}

TEST_P(Masquerade, GoesOnWithoutTheDaemon) {
  const Cluster cluster = make();
  cluster.member(0).daemon->signal(SIGKILL);
  cluster.member(0).daemon->wait();

  EXPECT_EQ(seen_by(cluster.underlay.outside, *cluster.pod_a, Underlay::outside_address(AF_INET6)),
            cluster.member(0).address_of(AF_INET6));
}

INSTANTIATE_TEST_SUITE_P(On, Masquerade,
                         testing::Values(std::tuple{"ebpf", false}, std::tuple{"ebpf", true},
                                         std::tuple{"bridge", false}),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) +
                                  (std::get<1>(tested.param) ? "_vxlan" : "_direct");
                         });

}  // namespace
}  // namespace kubecni::test
