// A node's --routing changes while its pods talk: no byte and no datagram is lost.

#include "conversation.hpp"
#include "paths.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <tuple>

namespace kubecni::test {
namespace {

constexpr std::uint64_t kBytesPerSecond = 24 << 20;
constexpr std::uint64_t kMidStream = 4 << 20;

class RoutingChange
    : public testing::TestWithParam<std::tuple<std::string /*dataplane*/, int, bool>> {
 protected:
  static TcpTransfer::Options transfer(const Pod& from, const Pod& to) {
    return {.client = from.netns,
            .server = to.netns,
            .to = to.address,
            .bytes = TcpTransfer::kUntilFinish,
            .bytes_per_second = kBytesPerSecond};
  }

  /// Restarts the node's daemon with the other routing, and waits until it is in force.
  void change(std::size_t index) {
    Cluster::Member& member = cluster.member(index);
    member.daemon->signal(SIGTERM);
    ASSERT_EQ(member.daemon->wait().status, 0);
    member.options = {"--routing", to_vxlan ? "vxlan" : "auto"};
    member.daemon.emplace(cluster.start_daemon(member.node));
    const std::string peer_cidr = cluster.member(1 - index).cidrs.front();
    ASSERT_TRUE(eventually([&] {
      const bool v6 = family == AF_INET6;
      const std::string route =
          member.node.must_run({"ip", v6 ? "-6" : "-4", "route", "show", peer_cidr});
      return (route.find("encap") != std::string::npos) == to_vxlan && !route.empty() &&
             knows_cidr(member.node, peer_cidr);
    })) << member.daemon->err();
  }

  const std::string dataplane = std::get<0>(GetParam());
  const int family = std::get<1>(GetParam());
  const bool to_vxlan = std::get<2>(GetParam());
  Cluster cluster{{.dataplane = dataplane,
                   .families = family == AF_INET ? Families::kV4 : Families::kV6,
                   .routing = {to_vxlan ? "auto" : "vxlan"}}};
};

TEST_P(RoutingChange, LosesNothing) {
  Conversation conversation(*cluster.pod_a, *cluster.pod_b);
  TcpTransfer forth(transfer(*cluster.pod_a, *cluster.pod_b));
  TcpTransfer back(transfer(*cluster.pod_b, *cluster.pod_a));
  ASSERT_TRUE(eventually(
      [&] { return forth.bytes_received() > kMidStream && back.bytes_received() > kMidStream; }));

  change(0);
  change(1);

  EXPECT_TRUE(ok(forth.finish()));
  EXPECT_TRUE(ok(back.finish()));
  conversation.stop();
  EXPECT_EQ(conversation.lost(), 0u) << "of " << conversation.asked();
  expect_on_ebpf(cluster.a, cluster.b, to_vxlan, 10, [&] {
    EXPECT_TRUE(
        ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address, 10)));
  });
}

std::string name_of(const RoutingChange::ParamType& param) {
  const auto& [dataplane, family, to_vxlan] = param;
  return dataplane + (family == AF_INET ? "_v4" : "_v6") + (to_vxlan ? "_to_vxlan" : "_to_direct");
}

INSTANTIATE_TEST_SUITE_P(Of, RoutingChange,
                         testing::Combine(testing::Values("ebpf", "bridge"),
                                          testing::Values(AF_INET, AF_INET6), testing::Bool()),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace kubecni::test
