// The nodes test whether packets of pods get from one to the other, say what is wrong, and go over
// to the tunnel where that helps.

#include "base/file.hpp"
#include "cluster.hpp"
#include "support/eventually.hpp"
#include "support/traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>

namespace kubecni::test {
namespace {

using nlohmann::json;

// Three questions of a second each, and room for a busy machine.
constexpr std::chrono::seconds kNoticed{60};

json probes_of(const Node& node) {
  const auto text = read_file(node.run_dir() / "status.json");
  return text ? json::parse(*text).value("probes", json::object()) : json::object();
}

/// What `node` says of others, in one line.
std::string said(const Node& node) { return probes_of(node).dump(); }

bool all_answer(const Node& node, unsigned count) {
  const json probes = probes_of(node);
  return probes.value("answering", 0U) == count && probes.value("silent", 0U) == 0 &&
         probes.value("unknown", 0U) == 0;
}

bool says(const Node& node, const std::string& state, const std::string& text) {
  for (const json& peer : probes_of(node).value("peers", json::array()))
    if (peer.value("state", "") == state && peer.value("text", "").find(text) != std::string::npos)
      return true;
  return false;
}

void nft(const Node& node, const std::string& command) { node.must_run({"nft", command}); }

/// Rules that no policy is about, like those of a firewall that the operator wrote.
void drop_forwarded(const Node& node, const std::string& verdict) {
  nft(node, "add table inet strict");
  nft(node,
      "add chain inet strict forward { type filter hook forward priority 0; policy accept; }");
  nft(node, "add rule inet strict forward " + verdict);
}

/// Like a cloud that knows the addresses of its machines.
void drop_pods_on_the_way_to(const Node& node) {
  nft(node, "add table netdev cloud");
  nft(node, "add chain netdev cloud in { type filter hook ingress device eth0 priority -400; }");
  nft(node, "add rule netdev cloud in ip saddr 10.200.0.0/16 drop");
}
void drop_pods_on_the_way(const Cluster& cluster) {
  for (const Node* node : {&cluster.a, &cluster.b}) drop_pods_on_the_way_to(*node);
}

bool is_tunnelled(const Node& node, const std::string& cidr) {
  return node.must_run({"ip", "route", "show", cidr}).find("encap") != std::string::npos;
}

TEST(Probe, AsksBothFamiliesByLinkAndTunnel) {
  Cluster cluster({.families = Families::kDual, .topology = Topology::kMixed});

  for (std::size_t i = 0; i < cluster.size(); ++i) {
    const Node& node = cluster.member(i).node;
    EXPECT_TRUE(eventually([&] { return all_answer(node, 4); }, kNoticed)) << said(node);
  }
  EXPECT_NE(cluster.a.must_run({"ip", "neigh", "show", "proto", "85"}), "");
}

TEST(Probe, NamesAPolicyThatDropsOnBothNodes) {
  Cluster cluster({.dataplane = "bridge", .daemon_options = {"--forward-rules", "off"}});
  ASSERT_TRUE(eventually([&] { return all_answer(cluster.b, 1); }, kNoticed)) << said(cluster.b);

  nft(cluster.a, "add table ip filter");
  nft(cluster.a,
      "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");

  EXPECT_TRUE(eventually(
      [&] { return says(cluster.a, "silent", "firewall of this node drops forwarded"); }, kNoticed))
      << said(cluster.a);
  EXPECT_TRUE(eventually(
      [&] { return says(cluster.b, "silent", "firewall of that node drops forwarded"); }, kNoticed))
      << said(cluster.b);

  nft(cluster.a, "delete table ip filter");

  EXPECT_TRUE(
      eventually([&] { return all_answer(cluster.a, 1) && all_answer(cluster.b, 1); }, kNoticed))
      << said(cluster.a) << said(cluster.b);
}

TEST(Probe, NamesWhoRefuses) {
  Cluster cluster(ClusterOptions{.families = Families::kDual});
  ASSERT_TRUE(eventually([&] { return all_answer(cluster.a, 2); }, kNoticed)) << said(cluster.a);

  drop_forwarded(cluster.a, "reject with icmpx admin-prohibited");

  EXPECT_TRUE(eventually(
      [&] { return says(cluster.a, "silent", "10.200.1.1 answers with an ICMP"); }, kNoticed))
      << said(cluster.a);
  EXPECT_TRUE(eventually(
      [&] { return says(cluster.a, "silent", "fd00:10:1::1 answers with an ICMP"); }, kNoticed))
      << said(cluster.a);
}

TEST(Probe, AQuestionDoesNotOpenAFirewallForTheOtherNode) {
  Cluster cluster("bridge");
  ASSERT_TRUE(
      eventually([&] { return all_answer(cluster.a, 1) && all_answer(cluster.b, 1); }, kNoticed))
      << said(cluster.a) << said(cluster.b);

  drop_forwarded(cluster.a, "ip saddr 10.200.2.0 udp dport 8484 ct direction original drop");

  EXPECT_TRUE(eventually([&] { return says(cluster.b, "silent", ""); }, kNoticed))
      << said(cluster.b);
  EXPECT_TRUE(all_answer(cluster.a, 1)) << said(cluster.a);
}

TEST(Probe, LeavesNoNeighbourBehindWithoutAPort) {
  Cluster cluster("bridge");
  const auto neighbours = [&] {
    return cluster.a.must_run({"ip", "neigh", "show", "proto", "85"});
  };
  ASSERT_TRUE(eventually([&] { return !neighbours().empty(); }, kNoticed));

  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a, {"--probe-port", "0"}));

  EXPECT_TRUE(eventually([&] { return neighbours().empty(); }, kNoticed)) << neighbours();
}

TEST(Probe, NamesAClosedTunnel) {
  Cluster cluster(ClusterOptions{.topology = Topology::kTwoSegments});
  ASSERT_TRUE(eventually([&] { return all_answer(cluster.a, 1); }, kNoticed)) << said(cluster.a);

  Node::must_run_in(cluster.underlay.router,
                    {"nft", "insert rule inet underlay forward udp dport 8472 drop"});

  EXPECT_TRUE(
      eventually([&] { return says(cluster.a, "silent", "UDP port 8472 is closed"); }, kNoticed))
      << said(cluster.a);
}

TEST(Probe, SaysThatANodeIsDown) {
  Cluster cluster("ebpf");
  ASSERT_TRUE(eventually([&] { return all_answer(cluster.a, 1); }, kNoticed)) << said(cluster.a);

  cluster.daemon_b.reset();

  EXPECT_TRUE(
      eventually([&] { return says(cluster.a, "silent", "its kube-cnid does not run"); }, kNoticed))
      << said(cluster.a);
  EXPECT_TRUE(ok(ping(cluster.pod_a->netns, cluster.pod_b->address)));
}

class ProbeDetour : public testing::TestWithParam<std::string> {};

TEST_P(ProbeDetour, LeadsThroughTheTunnelWhileTheUnderlayDropsPods) {
  Cluster cluster(ClusterOptions{.dataplane = GetParam()});
  ASSERT_TRUE(
      eventually([&] { return all_answer(cluster.a, 1) && all_answer(cluster.b, 1); }, kNoticed));
  ASSERT_FALSE(is_tunnelled(cluster.a, "10.200.2.0/24"));

  drop_pods_on_the_way(cluster);

  EXPECT_TRUE(eventually(
      [&] {
        return is_tunnelled(cluster.a, "10.200.2.0/24") && is_tunnelled(cluster.b, "10.200.1.0/24");
      },
      kNoticed))
      << said(cluster.a) << said(cluster.b);
  EXPECT_TRUE(
      eventually([&] { return ok(ping(cluster.pod_a->netns, cluster.pod_b->address)); }, kNoticed));
  EXPECT_TRUE(eventually(
      [&] { return says(cluster.a, "detour", "drops packets with pods' addresses"); }, kNoticed))
      << said(cluster.a);

  // Who starts anew does not cut them off.
  cluster.daemon_a->signal(SIGKILL);
  cluster.daemon_a->wait();
  cluster.daemon_a.emplace(cluster.start_daemon(cluster.a));
  ASSERT_TRUE(eventually(
      [&] { return cluster.daemon_a->err().find("started") != std::string::npos; }, kNoticed));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(ok(ping(cluster.pod_a->netns, cluster.pod_b->address))) << i;
    EXPECT_TRUE(is_tunnelled(cluster.a, "10.200.2.0/24")) << i;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  EXPECT_TRUE(
      eventually([&] { return probes_of(cluster.a).value("answering", 0U) == 1; }, kNoticed))
      << said(cluster.a);
  EXPECT_TRUE(is_tunnelled(cluster.a, "10.200.2.0/24"));

  for (const Node* node : {&cluster.a, &cluster.b}) nft(*node, "delete table netdev cloud");

  EXPECT_TRUE(eventually(
      [&] {
        return !is_tunnelled(cluster.a, "10.200.2.0/24") &&
               !is_tunnelled(cluster.b, "10.200.1.0/24") && all_answer(cluster.a, 1);
      },
      kNoticed * 2))
      << said(cluster.a) << said(cluster.b);
}

TEST(ProbeDetourOf, AStrictLinkLetsTheOthersDirectPacketsIn) {
  Cluster cluster("bridge");
  cluster.a.must_run(
      {"sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1"});
  ASSERT_TRUE(eventually([&] { return all_answer(cluster.a, 1); }, kNoticed)) << said(cluster.a);

  drop_pods_on_the_way_to(cluster.b);

  ASSERT_TRUE(eventually([&] { return is_tunnelled(cluster.a, "10.200.2.0/24"); }, kNoticed))
      << said(cluster.a);
  EXPECT_TRUE(eventually(
      [&] {
        const auto is_direct = [&] { return !is_tunnelled(cluster.b, "10.200.1.0/24"); };
        return is_direct() && ok(ping(cluster.pod_b->netns, cluster.pod_a->address)) && is_direct();
      },
      kNoticed))
      << said(cluster.b);
}

INSTANTIATE_TEST_SUITE_P(On, ProbeDetour, testing::Values("ebpf", "bridge"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kubecni::test
