// A NIC promises checksums inside of tunnels, but does not compute them: the daemon detects that
// and switches offload off, unless told otherwise.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/broken_offload_wire.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

constexpr const char* kNodesFile = "/run/kube-cni-test/nodes.json";

class BrokenOffload : public testing::TestWithParam<int> {
 protected:
  BrokenOffload() {
    must(
        write_file_atomically(kNodesFile, make_node_list({make_node("node-a", address(1), cidr(1)),
                                                          make_node("node-b", address(2), cidr(2))})
                                              .dump()));
  }

  [[nodiscard]] std::string address(unsigned number) const {
    return Underlay::address(1, number, GetParam()).str();
  }
  [[nodiscard]] std::string net(unsigned number) const {
    return address(number) + (GetParam() == AF_INET ? "/24" : "/64");
  }
  [[nodiscard]] std::string cidr(unsigned number) const {
    return GetParam() == AF_INET ? "10.200." + std::to_string(number) + ".0/24"
                                 : "fd00:10:" + std::to_string(number) + "::/64";
  }

  void start(const std::string& offload) {
    for (const Node* node : {&a, &b})
      daemons.push_back(
          node->start_daemon({"--node-source", std::string("file:") + kNodesFile, "--routing",
                              "vxlan", "--vxlan-checksum-offload", offload}));
    ASSERT_TRUE(eventually([&] { return knows_cidr(a, cidr(2)) && knows_cidr(b, cidr(1)); }))
        << daemons[0].err();
  }

  static bool leaves_checksums(const Node& node) {
    return node.must_run({"ethtool", "-k", "kcni.vxlan"}).find("tx-checksumming: on") !=
           std::string::npos;
  }

  static Result<> transfer(const Pod& from, const Pod& to) {
    return TcpTransfer({.client = from.netns,
                        .server = to.netns,
                        .to = to.address,
                        .bytes = 2 << 20,
                        .deadline = std::chrono::seconds(4)})
        .finish();
  }

  Node a{"node-a", std::vector<std::string>{}, "ebpf"};
  Node b{"node-b", std::vector<std::string>{}, "ebpf"};
  BrokenOffloadWire wire{a.netns, {net(1)}, b.netns, {net(2)}, 8472};
  std::vector<Process> daemons;
};

TEST_P(BrokenOffload, IsFoundAndSwitchedOff) {
  start("auto");

  EXPECT_TRUE(eventually([&] { return !leaves_checksums(a) && !leaves_checksums(b); }))
      << daemons[0].err() << daemons[1].err();
  EXPECT_THAT(daemons[0].err(), testing::HasSubstr("checksum offload of the tunnel is off"));
  const Pod pod_a = a.add_pod("pod-a");
  const Pod pod_b = b.add_pod("pod-b");
  const auto before = a.counters();
  EXPECT_TRUE(ok(transfer(pod_a, pod_b)));
  EXPECT_TRUE(ok(transfer(pod_b, pod_a)));
  const auto after = a.counters();
  EXPECT_GT(grown(before, after, KUBECNI_FAST_SENT_TO_TUNNEL), 0u)
      << "only the tunnel device computes them: " << growth(before, after);
}

TEST_P(BrokenOffload, StaysOnWhereTheOperatorSaysSo) {
  start("on");
  const Pod pod_a = a.add_pod("pod-a");
  const Pod pod_b = b.add_pod("pod-b");

  EXPECT_TRUE(ok(ping(pod_a.netns, pod_b.address)));
  EXPECT_FALSE(transfer(pod_a, pod_b)) << "or the wire is not broken";
  EXPECT_GT(wire.spoilt(), 0u);
  EXPECT_TRUE(leaves_checksums(a));
}

INSTANTIATE_TEST_SUITE_P(Over, BrokenOffload, testing::Values(AF_INET, AF_INET6),
                         [](const auto& tested) { return tested.param == AF_INET ? "v4" : "v6"; });

TEST(SoundOffload, IsTestedAndStaysOn) {
  Cluster cluster({.families = Families::kDual, .topology = Topology::kTwoSegments});

  EXPECT_TRUE(eventually([&] {
    auto status = read_file(cluster.a.run_dir() / "status.json");
    return status && status->find("tested, it works") != std::string::npos;
  }));
  EXPECT_THAT(cluster.a.must_run({"ethtool", "-k", "kcni.vxlan"}),
              testing::HasSubstr("tx-checksumming: on"));
}

}  // namespace
}  // namespace kubecni::test
