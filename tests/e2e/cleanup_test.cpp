// kube-cnid cleanup: what the daemon made between nodes and to the outside goes, and
// nothing else.

#include "cluster.hpp"
#include "support/traffic.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace fs = std::filesystem;

class Cleanup : public testing::Test {
 protected:
  Outcome clean_up() {
    std::vector<std::string> argv{KUBECNI_DAEMON, "cleanup"};
    for (const auto& [option, folder] : {std::pair{"--state-dir", cluster.a.state_dir()},
                                         {"--run-dir", cluster.a.run_dir()},
                                         {"--bpffs", cluster.a.bpffs()}}) {
      argv.emplace_back(option);
      argv.emplace_back(folder);
    }
    return run({.argv = argv, .netns_fd = cluster.a.netns.fd()});
  }

  void stop_daemon() {
    cluster.daemon_a->signal(SIGTERM);
    cluster.daemon_a->wait();
  }

  std::string ask(const std::string& command) const {
    return cluster.a.must_run({"sh", "-c", command});
  }

  Cluster cluster{ClusterOptions{.families = Families::kDual, .topology = Topology::kTwoSegments}};
};

TEST_F(Cleanup, LeavesNothingBetweenNodes) {
  ASSERT_THAT(ask("ip route show table all proto 84"), Not(IsEmpty()));
  ASSERT_THAT(ask("ip -6 route show table all proto 84"), Not(IsEmpty()));
  ASSERT_THAT(ask("ip rule; ip -6 rule"), HasSubstr("proto 84"));
  stop_daemon();

  const auto outcome = clean_up();

  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(ask("ip route show table all proto 84; ip -6 route show table all proto 84"),
              IsEmpty());
  EXPECT_THAT(ask("ip rule; ip -6 rule"), Not(HasSubstr("proto 84")));
  EXPECT_THAT(ask("ip -br link"), Not(HasSubstr("kcni.vxlan")));
  EXPECT_THAT(ask("nft list tables"), Not(HasSubstr("kube-cni")));
  EXPECT_THAT(must(cluster.a.dataplane().node_cidrs()), IsEmpty());
  EXPECT_THAT(must(cluster.a.dataplane().tunnel_peers()), IsEmpty());
  for (const auto& link : fs::directory_iterator(PinPaths(cluster.a.bpffs()).links))
    EXPECT_THAT(link.path().filename().string(), testing::StartsWith("veth"));
}

TEST_F(Cleanup, LeavesPodsOfTheNodeTheirWayToEachOther) {
  const Pod other = cluster.add_pod(cluster.a, "other");
  stop_daemon();

  ASSERT_EQ(clean_up().status, 0);

  for (const int family : {AF_INET, AF_INET6}) {
    EXPECT_TRUE(ok(ping(cluster.pod_a->netns, other.address_of(family))));
    EXPECT_TRUE(ok(ping(cluster.a.netns, other.address_of(family))));
  }
}

TEST_F(Cleanup, LeavesWhatOthersMade) {
  ask("ip route add 10.99.0.0/16 via 192.0.2.254 && nft add table inet other &&"
      " ip rule add iif cni0 lookup 99 priority 99");
  stop_daemon();

  ASSERT_EQ(clean_up().status, 0);

  EXPECT_THAT(ask("ip route"), HasSubstr("10.99.0.0/16"));
  EXPECT_THAT(ask("nft list tables"), HasSubstr("other"));
  EXPECT_THAT(ask("ip rule"), HasSubstr("lookup 99"));
}

TEST_F(Cleanup, RefusesWhileTheDaemonRuns) {
  const auto outcome = clean_up();

  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("another kube-cnid runs"));
  EXPECT_TRUE(cluster.is_complete());
}

TEST_F(Cleanup, OfACleanNodeSucceeds) {
  stop_daemon();
  ASSERT_EQ(clean_up().status, 0);

  const auto outcome = clean_up();

  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("changed")));
}

TEST_F(Cleanup, IsUndoneByTheNextStart) {
  stop_daemon();
  ASSERT_EQ(clean_up().status, 0);

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  EXPECT_TRUE(eventually([&] { return cluster.is_complete(); }));
  for (const int family : {AF_INET, AF_INET6})
    EXPECT_TRUE(ok(ping(cluster.pod_a->netns, cluster.pod_b->address_of(family))));
}

}  // namespace
}  // namespace kubecni::test
