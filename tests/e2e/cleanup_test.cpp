// kube-cnid cleanup removes everything of ours, and nothing else, and does not cut off living pods.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace fs = std::filesystem;

// The exit status of a cleanup.
constexpr int kClean = 0;
constexpr int kPodsStay = 3;

/// The folders of plugin and list on the daemon's node.
std::vector<std::string> places_of(const Node& node) {
  return {"--cni-conf-dir",      node.folder() / "net.d", "--cni-bin-dir",
          node.folder() / "bin", "--plugin-binary",       program("kube-cni")};
}

std::vector<std::string> clean_up_command(const Node& node,
                                          const std::vector<std::string>& more = {}) {
  std::vector<std::string> argv{program("kube-cnid"), "cleanup"};
  std::ranges::copy(more, std::back_inserter(argv));
  for (const auto& [option, folder] : {std::pair{"--state-dir", node.state_dir()},
                                       {"--run-dir", node.run_dir()},
                                       {"--bpffs", node.bpffs()}}) {
    argv.emplace_back(option);
    argv.emplace_back(folder);
  }
  std::ranges::copy(places_of(node), std::back_inserter(argv));
  return argv;
}

Outcome clean_up_of(const Node& node) {
  return run({.argv = clean_up_command(node), .netns_fd = node.netns.fd()});
}

class Cleanup : public testing::Test {
 protected:
  Outcome clean_up() { return clean_up_of(cluster.a); }

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

  EXPECT_EQ(outcome.status, kPodsStay) << outcome.err;
  EXPECT_THAT(ask("ip route show table all proto 84; ip -6 route show table all proto 84"),
              IsEmpty());
  EXPECT_THAT(ask("ip rule; ip -6 rule"), Not(HasSubstr("proto 84")));
  EXPECT_THAT(ask("ip -br link"), Not(HasSubstr("kcni.vxlan")));
  EXPECT_THAT(ask("nft list tables"), Not(HasSubstr("kube-cni")));
  EXPECT_FALSE(fs::exists(cluster.a.bpffs()));
}

TEST_F(Cleanup, ClosesHostPortsAndWhatTheyNeed) {
  const json wanted{
      {"subnet", nullptr},
      {"ipam", nullptr},
      {"runtimeConfig", {{"portMappings", {{{"hostPort", 18080}, {"containerPort", 80}}}}}}};
  const Pod pod = cluster.a.add_pod("mapped", wanted);
  ASSERT_THAT(ask("nft list tables"), HasSubstr("inet kube-cni-hostports"));
  ASSERT_THAT(ask("sysctl net.ipv4.conf.cni0.route_localnet"), HasSubstr("= 1"));
  stop_daemon();

  const auto outcome = clean_up();

  EXPECT_EQ(outcome.status, kPodsStay) << outcome.err;
  EXPECT_THAT(ask("nft list tables"), Not(HasSubstr("kube-cni")));
  EXPECT_THAT(ask("sysctl net.ipv4.conf.cni0.route_localnet"), HasSubstr("= 0"));
  EXPECT_TRUE(ok(cluster.a.cni("DEL", pod, wanted)));
}

TEST_F(Cleanup, LeavesPodsOfTheNodeTheirWayToEachOtherAndListsThem) {
  const Pod other = cluster.add_pod(cluster.a, "other");
  stop_daemon();

  const auto outcome = clean_up();

  ASSERT_EQ(outcome.status, kPodsStay) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(other.container_id));
  EXPECT_THAT(outcome.err, HasSubstr(other.address.str()));
  for (const int family : {AF_INET, AF_INET6}) {
    EXPECT_TRUE(ok(ping(cluster.pod_a->netns, other.address_of(family))));
    EXPECT_TRUE(ok(ping(cluster.a.netns, other.address_of(family))));
  }
}

TEST_F(Cleanup, LeavesARunningConnectionOfTwoPodsAlone) {
  const Pod other = cluster.add_pod(cluster.a, "other");
  stop_daemon();
  TcpTransfer transfer({.client = cluster.pod_a->netns,
                        .server = other.netns,
                        .to = other.address,
                        .bytes = TcpTransfer::kUntilFinish,
                        .bytes_per_second = 16 << 20});
  ASSERT_TRUE(eventually([&] { return transfer.bytes_received() > 2 << 20; }));

  ASSERT_EQ(clean_up().status, kPodsStay);

  EXPECT_TRUE(ok(transfer.finish()));
}

TEST_F(Cleanup, LeavesWhatOthersMade) {
  ask("ip route add 10.99.0.0/16 via 192.0.2.254 && nft add table inet other &&"
      " ip rule add iif cni0 lookup 99 priority 99");
  stop_daemon();

  ASSERT_EQ(clean_up().status, kPodsStay);

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

TEST_F(Cleanup, IsUndoneByTheNextStart) {
  stop_daemon();
  ASSERT_EQ(clean_up().status, kPodsStay);

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  EXPECT_TRUE(eventually([&] { return cluster.is_complete() && is_attached(cluster.a, 1); }));
  for (const int family : {AF_INET, AF_INET6})
    EXPECT_TRUE(ok(ping(cluster.pod_a->netns, cluster.pod_b->address_of(family))));
}

/// A node with a NIC, before kube-cni: the state that cleanup has to restore.
class CleanupOfANode : public testing::Test {
 protected:
  CleanupOfANode() {
    // Without link-local addresses, which become usable after a second.
    node.must_run({"sh", "-c",
                   "ip link add eth0 type veth peer name wire &&"
                   " ip link set eth0 addrgenmode none && ip link set wire addrgenmode none &&"
                   " ip link set eth0 up && ip link set wire up && nft add table inet other &&"
                   " ip addr add 192.0.2.1/24 dev eth0 && ip route add default via 192.0.2.254 &&"
                   " ip addr add 2001:db8:1::1/64 dev eth0 nodad &&"
                   " ip route add default via 2001:db8:1::fe"});
    // These stay, since others may need them.
    for (const char* name : {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
                             "net/netfilter/nf_conntrack_tcp_be_liberal"})
      node.set_sysctl(name, "1");
    using Texts = std::vector<std::string>;
    const auto nodes = make_node_list({make_node("node", Texts{"192.0.2.1", "2001:db8:1::1"},
                                                 Texts{"10.200.1.0/24", "fd00:10:1::/64"}),
                                       make_node("near", Texts{"192.0.2.2", "2001:db8:1::2"},
                                                 Texts{"10.200.2.0/24", "fd00:10:2::/64"}),
                                       make_node("far", Texts{"203.0.113.3", "2001:db8:f::3"},
                                                 Texts{"10.200.3.0/24", "fd00:10:3::/64"})});
    must(write_file_atomically(nodes_file(), nodes.dump()));
    fs::create_directories(kOthersPins);
    // From the node, not from kube-cni.
    fs::create_directories(node.folder() / "bin");
    must(write_file_atomically(node.folder() / "bin/loopback", "of another"));
    fs::create_directories(node.folder() / "net.d");
    must(write_file_atomically(node.folder() / "net.d/99-other.conflist", "{}"));
  }
  ~CleanupOfANode() override { fs::remove(kOthersPins); }

  [[nodiscard]] fs::path nodes_file() const { return node.folder() / "nodes.json"; }

  void run_daemon_until_it_is_done() {
    std::vector<std::string> options{"--node-source", "file:" + nodes_file().string()};
    std::ranges::copy(places_of(node), std::back_inserter(options));
    Process daemon = node.start_daemon(options);
    ASSERT_TRUE(eventually([&] {
      return fs::exists(node.folder() / "net.d/10-kube-cni.conflist") &&
             fs::exists(node.folder() / "bin/kube-cni") && has_map_entry(node, "10.200.2.0/24") &&
             has_map_entry(node, "fd00:10:3::/64");
    })) << daemon.err();
    daemon.signal(SIGTERM);
    daemon.wait();
  }

  /// Everything that kube-cni could have changed, and foreign files beside its own.
  [[nodiscard]] std::string snapshot() const {
    return state_of(node, {}, true) +
           node.must_run({"sh", "-c",
                          "nft list ruleset; ip rule; ip -6 rule; ip -6 addr; tc qdisc;"
                          " ip -6 route show table all; for dev in eth0 wire; do"
                          " tc filter show dev $dev ingress; bpftool net show dev $dev; done;"
                          " ls /sys/fs/bpf"});
  }

  static constexpr const char* kOthersPins = "/sys/fs/bpf/others";
  Node node{"node", std::vector<std::string>{}, "ebpf"};
};

TEST_F(CleanupOfANode, LeavesItAsItWasBeforeKubeCni) {
  const std::string before = snapshot();
  run_daemon_until_it_is_done();
  const Pod pod = node.add_pod("pod");
  const Pod other = node.add_pod("other");

  ASSERT_EQ(clean_up_of(node).status, kPodsStay);
  EXPECT_TRUE(ok(ping(pod.netns, other.address)));
  // Otherwise the runtime could not delete the pods.
  EXPECT_TRUE(fs::exists(node.folder() / "net.d/10-kube-cni.conflist"));
  EXPECT_TRUE(fs::exists(node.folder() / "bin/kube-cni"));
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  EXPECT_TRUE(ok(node.cni("DEL", other)));
  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_EQ(snapshot(), before) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("ip_forward=1"));  // cleanup names what stays
}

TEST_F(CleanupOfANode, RemovesWhatPodsLeftThatEndedWithoutDel) {
  const std::string before = snapshot();
  run_daemon_until_it_is_done();
  {
    const Pod gone = node.add_pod("gone");
  }
  ASSERT_TRUE(eventually(
      [&] { return node.must_run({"ip", "-br", "link"}).find("veth") == std::string::npos; }));

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_EQ(snapshot(), before) << outcome.err;
}

TEST_F(CleanupOfANode, WaitsForTheLastPodIfItIsToldTo) {
  const std::string before = snapshot();
  run_daemon_until_it_is_done();
  const Pod pod = node.add_pod("pod");
  Process waiting({.argv = clean_up_command(node, {"--wait"}), .netns_fd = node.netns.fd()});
  ASSERT_TRUE(eventually([&] { return waiting.err().contains("cleanup waits for that"); }))
      << waiting.err();

  ASSERT_TRUE(ok(node.cni("DEL", pod)));

  EXPECT_EQ(waiting.wait(std::chrono::seconds(60)).status, kClean) << waiting.err();
  EXPECT_EQ(snapshot(), before);
}

TEST_F(CleanupOfANode, WithNothingOfOursSaysSo) {
  const std::string before = snapshot();

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("changed")));
  EXPECT_EQ(snapshot(), before);
}

TEST_F(CleanupOfANode, LeavesABridgeThatAnotherPluginMade) {
  node.must_run({"ip", "link", "add", "cni0", "address", "02:00:5e:00:53:01", "type", "bridge"});
  node.must_run({"ip", "addr", "add", "10.88.0.1/16", "dev", "cni0"});

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("bridge cni0, which kube-cni did not make"));
  EXPECT_THAT(node.must_run({"ip", "-br", "link"}), HasSubstr("cni0"));
}

// After a change of the PodCIDR the bridge has other addresses, and one that is no gateway, or is
// of another network, has a MAC that follows from nothing.
TEST_F(CleanupOfANode, RemovesItsBridgesWhateverTheirAddressesAre) {
  const std::string before = snapshot();
  run_daemon_until_it_is_done();
  node.must_run({"ip", "addr", "flush", "dev", "cni0"});
  node.must_run({"ip", "addr", "add", "10.200.77.1/24", "dev", "cni0"});
  const json other{{"name", "other"},
                   {"bridge", "cni7"},
                   {"subnet", "10.201.0.0/24"},
                   {"network", nullptr},
                   {"isGateway", false}};
  {
    const Pod pod = node.add_pod("pod", other);
    ASSERT_TRUE(ok(node.cni("DEL", pod, other)));
  }

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_EQ(snapshot(), before) << outcome.err;
}

TEST_F(CleanupOfANode, LeavesAllThatPodsNeedWhereItCannotTellWhichThereAre) {
  run_daemon_until_it_is_done();
  const Pod pod = node.add_pod("pod");
  const fs::path records =
      node.state_dir() / "attachments" / node.conf()["name"].get<std::string>();
  fs::rename(records, node.folder() / "records");
  must(write_file_atomically(records, "no folder"));

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(records.string()));
  EXPECT_TRUE(fs::exists(node.state_dir() / "node.json"));
  EXPECT_TRUE(fs::exists(node.folder() / "net.d/10-kube-cni.conflist"));
  fs::remove(records);
  fs::rename(node.folder() / "records", records);
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
}

TEST_F(CleanupOfANode, LeavesFilesOfOthersInItsFoldersAndNamesThem) {
  run_daemon_until_it_is_done();
  must(write_file_atomically(node.state_dir() / "notes", "of the operator"));

  const auto outcome = clean_up_of(node);

  EXPECT_EQ(outcome.status, kClean) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("it has notes, which is not of kube-cni"));
  EXPECT_TRUE(fs::exists(node.state_dir() / "notes"));
  EXPECT_FALSE(fs::exists(node.state_dir() / "node.json"));
}

}  // namespace
}  // namespace kubecni::test
