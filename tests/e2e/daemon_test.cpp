// kube-cnid with its nodes in a file: what it keeps, restores and refuses.

#include "cluster.hpp"
#include "support/node_state.hpp"
#include "support/program.hpp"
#include "support/traffic.hpp"

#include <csignal>

namespace kubecni::test {
namespace {

using nlohmann::json;

class DaemonOnFile : public testing::Test {
 protected:
  [[nodiscard]] bool says(const std::string& phrase) const {
    return cluster.daemon_a->err().find(phrase) != std::string::npos;
  }
  bool reach_each_other() { return ping(cluster.pod_a->netns, cluster.pod_b->address).has_value(); }

  Cluster cluster{"ebpf"};
};

TEST_F(DaemonOnFile, SigtermEndsItAndRemovesNothing) {
  const auto before = state_of(cluster.a, {&*cluster.pod_a}, false);

  cluster.daemon_a->signal(SIGTERM);

  EXPECT_EQ(cluster.daemon_a->wait().status, 0);
  EXPECT_EQ(state_of(cluster.a, {&*cluster.pod_a}, false), before);
  EXPECT_TRUE(reach_each_other());
}

TEST_F(DaemonOnFile, RestartChangesNothing) {
  const auto before = state_of(cluster.a, {&*cluster.pod_a}, false);
  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  ASSERT_TRUE(eventually([&] { return says("started"); }));
  EXPECT_TRUE(eventually([&] { return state_of(cluster.a, {&*cluster.pod_a}, false) == before; }));
  EXPECT_FALSE(says("level=error")) << cluster.daemon_a->err();
}

TEST_F(DaemonOnFile, RouteRemovedByHandComesBackAtOnce) {
  cluster.a.must_run({"ip", "route", "del", "10.200.2.0/24", "proto", "84"});

  EXPECT_TRUE(eventually([&] { return has_route(cluster.a, "10.200.2.0/24"); }, at_once()));
}

TEST_F(DaemonOnFile, MapEntryRemovedByHandComesBack) {
  must(cluster.a.dataplane().node_cidrs.erase(*IpNet::parse("10.200.2.0/24")));

  EXPECT_TRUE(eventually([&] { return has_map_entry(cluster.a, "10.200.2.0/24"); }));
}

TEST_F(DaemonOnFile, ProtectionAgainstSpoofingIsRestored) {
  const std::string host = cluster.a.attachment(*cluster.pod_a).port.host_ifname;
  const std::string address = cluster.pod_a->address.str();
  const std::string mac = cluster.a.attachment(*cluster.pod_a).port.pod_mac.str();
  const auto list = [&] {
    return cluster.a.must_run({"sh", "-ec",
                               "bridge -d link show dev " + host + " | grep -o 'locked o[nf]*';" +
                                   "ip -d link show cni0 | grep -o 'mcast_snooping [01]';" +
                                   "bridge fdb show br cni0 | grep -c '" + mac + " dev " + host +
                                   " .*static' || :; ip neigh show proto 84 | sort;" +
                                   "nft -s list table bridge kube-cni"});
  };
  ASSERT_TRUE(eventually([&] { return list().find(host + "\" }") != std::string::npos; }));
  const std::string right = list();

  cluster.a.must_run({"ip", "neigh", "del", address, "dev", "cni0"});
  cluster.a.must_run({"ip", "neigh", "add", "10.200.1.99", "lladdr", "02:00:00:00:00:99", "dev",
                      "cni0", "nud", "permanent", "protocol", "84"});
  cluster.a.must_run({"bridge", "fdb", "del", mac, "dev", host, "master"});
  cluster.a.must_run({"nft", "delete", "table", "bridge", "kube-cni"});
  cluster.a.must_run({"ip", "link", "set", "cni0", "type", "bridge", "mcast_snooping", "1"});
  cluster.a.must_run({"bridge", "link", "set", "dev", host, "locked", "off"});

  EXPECT_TRUE(eventually([&] {
    const auto tables = cluster.a.must_run({"nft", "list", "tables"});
    return tables.find("bridge kube-cni") != std::string::npos && list() == right;
  })) << list();
}

TEST_F(DaemonOnFile, NodeAddedToTheFileIsKnownAtOnce) {
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.3.0/24"); }, at_once()));
}

TEST_F(DaemonOnFile, APartThatFailsHoldsUpNoOtherAndIsTriedAgain) {
  const auto told = cluster.a.state_dir() / "node.json";
  std::filesystem::remove(told);
  std::filesystem::create_directories(told / "in the way");
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.3.0/24"); }));
  EXPECT_TRUE(eventually([&] { return says("this node cannot take pods"); }))
      << cluster.daemon_a->err();
  std::filesystem::remove_all(told);
  EXPECT_TRUE(eventually([&] { return std::filesystem::is_regular_file(told); }));
}

TEST_F(DaemonOnFile, NodeRemovedFromTheFileIsForgottenAtOnce) {
  cluster.write_nodes({Cluster::two_nodes().front()});

  EXPECT_TRUE(eventually(
      [&] {
        return !has_route(cluster.a, "10.200.2.0/24") && !has_map_entry(cluster.a, "10.200.2.0/24");
      },
      at_once()));
}

TEST_F(DaemonOnFile, MalformedNodeIsSkippedByNameAndTheOthersWork) {
  auto nodes = Cluster::two_nodes();
  json broken = make_node("node-broken", "192.0.2.9", "10.200.9.0/24");
  broken["spec"]["podCIDR"] = "10.200.9.0";
  broken["spec"]["podCIDRs"] = {"10.200.9.0"};
  nodes.push_back(broken);
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.3.0/24"); }));
  EXPECT_TRUE(eventually([&] { return says("node=node-broken"); })) << cluster.daemon_a->err();
  EXPECT_TRUE(reach_each_other());
}

/// A claim to another node's PodCIDR is reported, and changes nothing.
class DaemonOnClaims : public DaemonOnFile, public testing::WithParamInterface<const char*> {};

TEST_P(DaemonOnClaims, IsReportedAndTheOwnerKeepsIt) {
  const auto before = state_of(cluster.a, {}, false);
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("a-first-by-name", "192.0.2.3", GetParam()));

  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return says("node=a-first-by-name"); })) << cluster.daemon_a->err();
  EXPECT_EQ(cluster.a.must_run({"ip", "route", "show", "proto", "84"}),
            "10.200.2.0/24 via 192.0.2.2 dev eth0 \n");
  EXPECT_EQ(must(cluster.a.dataplane().node_cidrs.entries()).size(), 2u);
  EXPECT_TRUE(reach_each_other());
}

INSTANTIATE_TEST_SUITE_P(Of, DaemonOnClaims,
                         testing::Values("10.200.2.0/24", "10.200.2.128/25", "10.200.0.0/16"),
                         [](const auto& tested) {
                           std::string name = std::string("Cidr_") + tested.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '.' || c == '/'; }, '_');
                           return name;
                         });

TEST_F(DaemonOnFile, FileThatIsNoJsonIsReportedAndKeepsTheLastState) {
  cluster.write_file("{ this is no JSON");

  EXPECT_TRUE(eventually([&] { return says("level=error"); }));
  EXPECT_TRUE(knows_cidr(cluster.a, "10.200.2.0/24"));
  EXPECT_TRUE(reach_each_other());

  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));
  cluster.write_nodes(nodes);
  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.3.0/24"); }));
}

TEST_F(DaemonOnFile, LastKnownNodesServeWhenTheFileIsNoJsonAtTheStart) {
  cluster.daemon_a->signal(SIGTERM);
  cluster.daemon_a->wait();
  cluster.a.must_run({"ip", "route", "del", "10.200.2.0/24", "proto", "84"});
  cluster.write_file("garbage");

  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));

  EXPECT_TRUE(eventually([&] { return knows_cidr(cluster.a, "10.200.2.0/24"); }))
      << cluster.daemon_a->err();
  EXPECT_TRUE(reach_each_other());
}

TEST_F(DaemonOnFile, ForeignRouteToAPodCidrIsReportedAndStays) {
  cluster.a.must_run({"ip", "route", "add", "10.200.3.0/24", "via", "192.0.2.9"});
  auto nodes = Cluster::two_nodes();
  nodes.push_back(make_node("node-c", "192.0.2.3", "10.200.3.0/24"));

  cluster.write_nodes(nodes);

  EXPECT_TRUE(eventually([&] { return says("10.200.3.0/24 exists already"); }))
      << cluster.daemon_a->err();
  EXPECT_FALSE(has_route(cluster.a, "10.200.3.0/24"));
}

TEST_F(DaemonOnFile, SecondDaemonOfTheSameNodeIsRefused) {
  Process second = cluster.start_daemon(cluster.a);

  EXPECT_GT(second.wait().status, 0);
  EXPECT_THAT(second.err(), testing::HasSubstr("another kube-cnid"));
}

TEST_F(DaemonOnFile, SecondDaemonIsRefusedWhenTheRunFolderWasRemoved) {
  cluster.daemon_a->signal(SIGSTOP);  // it cannot make the folder anew
  std::filesystem::remove_all(cluster.a.run_dir());
  Process second = cluster.start_daemon(cluster.a);

  EXPECT_GT(second.wait().status, 0);
  EXPECT_THAT(second.err(), testing::HasSubstr("another kube-cnid"));
  cluster.daemon_a->signal(SIGCONT);
}

TEST_F(DaemonOnFile, PodThatWasAddedWithoutBpffsGetsEbpfLater) {
  const auto learned =
      nlohmann::json{{"subnet", nullptr}, {"ipam", nullptr}, {"dataplane", "auto"}};
  Pod late("late");
  auto elsewhere = learned;
  elsewhere["bpffs"] = cluster.a.folder() / "no-bpffs";
  ASSERT_EQ(cluster.a.cni("ADD", late, elsewhere).status, 0);
  ASSERT_FALSE(cluster.a.attachment(late).ebpf);

  EXPECT_TRUE(eventually([&] { return cluster.a.attachment(late).ebpf; }))
      << cluster.daemon_a->err();
  EXPECT_EQ(cluster.a.attachment(late).fallback_reason, "");
}

TEST_F(DaemonOnFile, AddressOfALivingPodIsNotGivenAgainWhenTheStateFolderIsEmptied) {
  // The daemon restores records of pods that it has seen.
  ASSERT_TRUE(eventually([&] { return is_guarded(cluster.a, *cluster.pod_a); }));
  cluster.daemon_a->signal(SIGSTOP);
  for (const auto& entry : std::filesystem::directory_iterator(cluster.a.state_dir()))
    std::filesystem::remove_all(entry.path());

  const Pod second = cluster.a.add_pod("second");

  EXPECT_NE(second.address, cluster.pod_a->address);
  cluster.daemon_a->signal(SIGCONT);
  // It might be a DEL that runs: so the daemon waits before it writes the records again.
  EXPECT_TRUE(eventually(
      [&] {
        return must(AttachmentStore(cluster.a.state_dir())
                        .find("pods", cluster.pod_a->container_id, "eth0"))
            .has_value();
      },
      std::chrono::seconds(60)))
      << cluster.daemon_a->err();
  EXPECT_TRUE(reach_each_other());
}

TEST_F(DaemonOnFile, PinsThatAreLostComeBackWithThePodsOnThem) {
  std::filesystem::remove_all(cluster.a.bpffs());

  EXPECT_TRUE(eventually([&] {
    return std::filesystem::exists(PinPaths(cluster.a.bpffs()).links) &&
           knows_cidr(cluster.a, "10.200.2.0/24") &&
           !must(cluster.a.dataplane().pods.endpoints.endpoints().entries()).empty();
  })) << cluster.daemon_a->err();
  const auto before = cluster.a.counters();
  EXPECT_TRUE(ok(udp_echo(cluster.pod_a->netns, cluster.pod_b->netns, cluster.pod_b->address)));
  EXPECT_GT(grown(before, cluster.a.counters(), KUBECNI_FAST_TO_NODE), 0u);
}

}  // namespace
}  // namespace kubecni::test
