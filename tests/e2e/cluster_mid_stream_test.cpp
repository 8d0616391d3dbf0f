// A node is disturbed during a TCP connection to another node's pod: the connection continues, and
// no byte is lost.

#include "cluster.hpp"
#include "support/traffic.hpp"

#include <csignal>
#include <filesystem>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBytesPerSecond = 64 << 20;
constexpr std::uint64_t kMidStream = 8 << 20;

class TwoNodesMidStream : public testing::Test {
 protected:
  template <typename Damage>
  void expect_to_survive(Damage damage) {
    TcpTransfer transfer({.client = cluster.pod_a->netns,
                          .server = cluster.pod_b->netns,
                          .to = cluster.pod_b->address,
                          .bytes = TcpTransfer::kUntilFinish,
                          .bytes_per_second = kBytesPerSecond});
    ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > kMidStream; }));

    damage();

    EXPECT_TRUE(ok(transfer.finish()));
  }

  static void empty_maps(const Node& node) {
    auto dataplane = node.dataplane();
    for (const auto& [key, value] : must(dataplane.node_cidrs.entries()))
      must(dataplane.node_cidrs.erase(key));
    for (const auto& [key, value] : must(dataplane.pods.endpoints.endpoints().entries()))
      must(dataplane.pods.endpoints.endpoints().erase(key));
    for (const auto& [key, value] : must(dataplane.pods.endpoints.pod_ifaces().entries()))
      must(dataplane.pods.endpoints.pod_ifaces().erase(key));
  }

  Cluster cluster{"ebpf"};
};

TEST_F(TwoNodesMidStream, AllProgramsDetachedAndAllMapsEmptied) {
  expect_to_survive([&] {
    for (const Node* node : {&cluster.a, &cluster.b}) {
      fs::remove_all(PinPaths(node->bpffs()).links);
      empty_maps(*node);
    }
  });
}

TEST_F(TwoNodesMidStream, AllPinsOfOneNodeDeleted) {
  expect_to_survive([&] { fs::remove_all(cluster.b.bpffs()); });
}

TEST_F(TwoNodesMidStream, AllMapsOfOneNodeEmptied) {
  expect_to_survive([&] { empty_maps(cluster.a); });
}

TEST_F(TwoNodesMidStream, DaemonsKilledAndStartedAgain) {
  expect_to_survive([&] {
    for (auto* daemon : {&cluster.daemon_a, &cluster.daemon_b}) {
      (*daemon)->signal(SIGKILL);
      (*daemon)->wait();
    }
    cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
    cluster.daemon_b.emplace(cluster.start_daemon(cluster.b));
    ASSERT_TRUE(eventually([&] {
      return cluster.daemon_a->err().find("started") != std::string::npos &&
             cluster.daemon_b->err().find("started") != std::string::npos;
    }));
  });
}

TEST_F(TwoNodesMidStream, TheOtherPathUntilTheDaemonPutsItBack) {
  expect_to_survive([&] {
    cluster.a.must_run({"ip", "route", "del", "10.200.2.0/24", "proto", "84"});
    empty_maps(cluster.a);
    EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.2.0/24"); }));
  });
}

}  // namespace
}  // namespace kubecni::test
