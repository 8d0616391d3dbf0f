#include "cluster/cluster_view.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ClusterView, SeparatesThisNodeFromItsPeers) {
  const NodeSnapshot snapshot{
      {node("n1", "192.0.2.1", "10.200.1.0/24"), node("n2", "192.0.2.2", "10.200.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {});

  ASSERT_TRUE(view.self);
  EXPECT_EQ(*view.self, snapshot.nodes[0]);
  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[1]));
  EXPECT_THAT(view.skipped, IsEmpty());
}

TEST(ClusterView, HasNoSelfWhenThisNodeIsNotListed) {
  const auto view = view_cluster({{node("n2", "192.0.2.2", "10.200.2.0/24")}, {}}, "n1", {});

  EXPECT_FALSE(view.self);
  EXPECT_EQ(view.peers.size(), 1u);
}

TEST(ClusterView, GivesAPodCidrClaimedTwiceToTheFirstByName) {
  const NodeSnapshot snapshot{
      {node("n3", "192.0.2.3", "10.200.2.0/24"), node("n2", "192.0.2.2", "10.200.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {});

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[1]));
  ASSERT_EQ(view.skipped.size(), 1u);
  EXPECT_EQ(view.skipped[0].name, "n3");
  EXPECT_EQ(view.skipped[0].reason, "PodCIDR 10.200.2.0/24 is already that of node n2");
}

TEST(ClusterView, LeavesAPodCidrWithTheNodeThatHadIt) {
  const NodeSnapshot snapshot{
      {node("n2", "192.0.2.2", "10.200.2.0/24"), node("n3", "192.0.2.3", "10.200.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {.cidrs = {{net("10.200.2.0/24"), "n3"}}});

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[1]));
  EXPECT_EQ(view.skipped.at(0).name, "n2");
}

TEST(ClusterView, GivesAPodCidrToItsNewNodeWhenTheOldOneIsGone) {
  const NodeSnapshot snapshot{{node("n3", "192.0.2.3", "10.200.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {.cidrs = {{net("10.200.2.0/24"), "n2"}}});

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[0]));
  EXPECT_EQ(view.owners.at(net("10.200.2.0/24")), "n3");
}

struct Overlap {
  const char* first;
  const char* second;
};
class OverlappingPodCidrs : public testing::TestWithParam<Overlap> {};

TEST_P(OverlappingPodCidrs, LeaveTheSecondNodeOut) {
  const NodeSnapshot snapshot{
      {node("n2", "192.0.2.2", GetParam().first), node("n3", "192.0.2.3", GetParam().second),
       node("n4", "192.0.2.4", "10.250.0.0/24")},
      {}};

  const auto view = view_cluster(snapshot, "n1", {});

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[0], snapshot.nodes[2]));
  ASSERT_EQ(view.skipped.size(), 1u);
  EXPECT_THAT(view.skipped[0].reason,
              HasSubstr(std::string("overlaps ") + GetParam().first + ", already that of node n2"));
}

INSTANTIATE_TEST_SUITE_P(ClusterView, OverlappingPodCidrs,
                         testing::Values(Overlap{"10.200.0.0/16", "10.200.7.0/24"},
                                         Overlap{"10.200.7.0/24", "10.200.0.0/16"},
                                         Overlap{"10.200.0.0/24", "10.200.0.0/25"},
                                         Overlap{"10.200.0.128/25", "10.200.0.0/24"}));

/// What was said of the node `name`.
std::vector<std::string> refusals_of(const ClusterView& view, const std::string& name) {
  std::vector<std::string> reasons;
  for (const SkippedNode& node : view.skipped)
    if (node.name == name) reasons.push_back(node.reason);
  return reasons;
}

TEST(ClusterView, LeavesAPodCidrAloneWhenLaterANodeHasAnAddressInIt) {
  NodeSnapshot snapshot{
      {node("n1", "192.0.2.1", "10.200.1.0/24"), node("n2", "192.0.2.2", "10.200.2.0/24")}, {}};
  auto before = view_cluster(snapshot, "n1");
  snapshot.nodes.push_back(node("n3", "10.200.2.77", "10.200.3.0/24"));
  snapshot.nodes.push_back(node("n4", "10.200.2.78", "10.200.4.0/24"));

  const auto view = view_cluster(snapshot, "n1", std::move(before).incumbents());

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[1]));
  EXPECT_THAT(refusals_of(view, "n3"),
              ElementsAre("InternalIP 10.200.2.77 lies in PodCIDR 10.200.2.0/24 of node n2"));
  EXPECT_THAT(view.node_addresses, ElementsAre(addr("192.0.2.1"), addr("192.0.2.2")));
}

TEST(ClusterView, LeavesTheAddressOfANodeAloneWhenLaterAPodCidrHasItInside) {
  NodeSnapshot snapshot{{node("n2", "172.16.0.2", "10.200.2.0/24")}, {}};
  auto before = view_cluster(snapshot, "n1");
  snapshot.nodes.push_back(node("n3", "192.0.2.3", "172.16.0.0/24"));

  const auto view = view_cluster(snapshot, "n1", std::move(before).incumbents());

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[0]));
  EXPECT_THAT(refusals_of(view, "n3"),
              ElementsAre("PodCIDR 172.16.0.0/24 contains the node address 172.16.0.2 of node n2"));
}

TEST(ClusterView, WithNothingKnownRefusesTheAddressOfOneNodeInAPodCidr) {
  const NodeSnapshot snapshot{
      {node("n2", "192.0.2.2", "10.200.2.0/24"),
       {"n3", {addr("10.200.2.77"), addr("192.0.2.3")}, {net("10.200.3.0/24")}}},
      {}};

  const auto view = view_cluster(snapshot, "n1");

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[0], node("n3", "192.0.2.3", "10.200.3.0/24")));
  EXPECT_THAT(refusals_of(view, "n3"),
              ElementsAre("InternalIP 10.200.2.77 lies in PodCIDR 10.200.2.0/24 of node n2"));
}

TEST(ClusterView, WithNothingKnownRefusesPodCidrsWithAddressesOfTwoNodes) {
  const std::vector<Node> others{node("n2", "172.16.0.2", "10.200.2.0/24"),
                                 node("n3", "172.16.9.3", "10.200.3.0/24")};
  for (const std::vector<IpNet>& cidrs :
       {std::vector{net("172.16.0.0/16")}, {net("172.16.0.0/24"), net("172.16.9.0/24")}}) {
    NodeSnapshot snapshot{{{"n1", {addr("192.0.2.1")}, cidrs}}, {}};
    snapshot.nodes.insert(snapshot.nodes.end(), others.begin(), others.end());

    const auto view = view_cluster(snapshot, "n9");

    EXPECT_EQ(view.peers, others);
    EXPECT_EQ(refusals_of(view, "n1").size(), cidrs.size());
  }
}

TEST(ClusterView, DecidesTheSameWhicheverNodeLooks) {
  const NodeSnapshot snapshot{
      {node("n1", "10.200.2.77", "10.200.1.0/24"), node("n2", "192.0.2.2", "10.200.2.0/24"),
       node("n3", "192.0.2.3", "10.200.3.0/24")},
      {}};
  const auto of_a_third = view_cluster(snapshot, "n3");

  for (const char* name : {"n1", "n2"}) {
    const auto view = view_cluster(snapshot, name);
    EXPECT_EQ(view.owners, of_a_third.owners);
    EXPECT_EQ(view.address_owners, of_a_third.address_owners);
  }
}

TEST(ClusterView, RefusesAPodCidrThatHoldsTheNodesOwnOnlyAddress) {
  const NodeSnapshot snapshot{{node("n2", "172.16.0.2", "172.16.0.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1");

  EXPECT_THAT(view.peers, IsEmpty());
  EXPECT_THAT(view.node_addresses, ElementsAre(addr("172.16.0.2")));
}

TEST(ClusterView, KeepsTheRouteOfANodeThatListsItsBridge) {
  const Node listed{"n2", {addr("10.200.2.1"), addr("192.0.2.2")}, {net("10.200.2.0/24")}};

  const auto view = view_cluster({{listed}, {}}, "n1");

  EXPECT_THAT(view.peers, ElementsAre(node("n2", "192.0.2.2", "10.200.2.0/24")));
  EXPECT_THAT(refusals_of(view, "n2").at(0), HasSubstr("lies in the node's own PodCIDR"));
}

TEST(ClusterView, DecidesByTheSettings) {
  const ClusterRules rules{.cluster_cidrs = {net("10.200.0.0/16")},
                           .service_cidrs = {net("10.96.0.0/12")},
                           .node_cidrs = {net("192.0.2.0/24")},
                           .service_host = {}};
  const NodeSnapshot snapshot{
      {node("n2", "192.0.2.2", "10.201.2.0/24"), node("n3", "198.51.100.3", "10.200.3.0/24"),
       node("n4", "192.0.2.4", "10.200.4.0/24")},
      {}};

  const auto view = view_cluster(snapshot, "n1", {}, rules);

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[2]));
  EXPECT_THAT(refusals_of(view, "n2").at(0), HasSubstr("--cluster-cidr"));
  EXPECT_THAT(refusals_of(view, "n3").at(0), HasSubstr("--node-cidr"));
}

TEST(ClusterView, WarnsAboutAPublicPodCidrByName) {
  const auto view = view_cluster({{node("n2", "192.0.2.2", "9.9.0.0/16")}, {}}, "n1");

  EXPECT_EQ(view.peers.size(), 1u);
  ASSERT_EQ(view.warnings.size(), 1u);
  EXPECT_EQ(view.warnings[0].name, "n2");
  EXPECT_THAT(view.warnings[0].text, HasSubstr("--cluster-cidr"));
}

TEST(ClusterView, GoesOnAsTheNodeLastWasWhileNoneOfItsAddressesCanBeUsed) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");

  const auto view =
      view_cluster({{node("n1", "127.0.0.1", "10.200.1.0/24")}, {}}, "n1", {.self = last});

  EXPECT_EQ(view.self, last);
  EXPECT_THAT(view.self_outdated, HasSubstr("InternalIP 127.0.0.1 overlaps 127.0.0.0/8"));
}

TEST(ClusterView, KeepsTheOtherPodCidrsOfANodeOfWhichOneIsRefused) {
  Node n3 = node("n3", "192.0.2.3", "10.200.2.0/24");
  n3.pod_cidrs.push_back(net("10.200.3.0/24"));
  const NodeSnapshot snapshot{{node("n2", "192.0.2.2", "10.200.2.0/24"), n3}, {}};

  const auto view = view_cluster(snapshot, "n1", {});

  EXPECT_THAT(view.peers.at(1).pod_cidrs, ElementsAre(net("10.200.3.0/24")));
}

TEST(ClusterView, PassesTheNodesOnThatTheSourceSkipped) {
  const auto view = view_cluster({{}, {{"n9", "no PodCIDR"}}}, "n1", {});

  EXPECT_THAT(view.skipped, ElementsAre(SkippedNode{"n9", "no PodCIDR"}));
}

TEST(ClusterView, KnowsTheAddressesOfNodesWithoutAPodCidr) {
  const auto view = view_cluster(
      {{node("n2", "192.0.2.2", "10.200.2.0/24")}, {{"n3", "no PodCIDR", {addr("192.0.2.3")}}}},
      "n1", {});

  EXPECT_THAT(view.node_addresses, ElementsAre(addr("192.0.2.2"), addr("192.0.2.3")));
}

TEST(ClusterView, ResolvesClaimsOfBothFamilies) {
  Node first = node("n2", "192.0.2.2", "10.200.2.0/24");
  first.pod_cidrs.push_back(net("fd00:10:2::/64"));
  Node second = node("n3", "192.0.2.3", "10.200.3.0/24");
  second.pod_cidrs.push_back(net("fd00:10:2::/64"));

  const auto view = view_cluster({{first, second}, {}}, "n1", {});

  ASSERT_EQ(view.peers.size(), 2u);
  EXPECT_THAT(view.peers[0].pod_cidrs, ElementsAre(net("10.200.2.0/24"), net("fd00:10:2::/64")));
  EXPECT_THAT(view.peers[1].pod_cidrs, ElementsAre(net("10.200.3.0/24")));
  EXPECT_EQ(view.skipped.at(0).name, "n3");
}

TEST(ClusterView, GoesOnAsTheNodeLastWasWhileItsObjectIsGone) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");
  const auto view =
      view_cluster({{node("n2", "192.0.2.2", "10.200.2.0/24")}, {}}, "n1", {.self = last});

  EXPECT_EQ(view.self, last);
  EXPECT_EQ(view.self_outdated, "the Node object n1 is gone");
  EXPECT_EQ(view.owners.at(net("10.200.1.0/24")), "n1");
  EXPECT_THAT(view.node_addresses, ElementsAre(addr("192.0.2.1"), addr("192.0.2.2")));
}

TEST(ClusterView, GoesOnAsTheNodeLastWasWhileItsObjectIsNotUsable) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");
  const auto view = view_cluster({{}, {{"n1", "no PodCIDR yet"}}}, "n1", {.self = last});

  EXPECT_EQ(view.self, last);
  EXPECT_EQ(view.self_outdated, "no PodCIDR yet");
}

TEST(ClusterView, LosesThePodCidrThatAnotherNodeGotWhileItsObjectWasGone) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");
  const auto view = view_cluster({{node("n2", "192.0.2.2", "10.200.1.0/24")}, {}}, "n1",
                                 {.cidrs = {{net("10.200.1.0/24"), "n1"}}, .self = last});

  ASSERT_TRUE(view.self);
  EXPECT_THAT(view.self->pod_cidrs, IsEmpty());
  EXPECT_EQ(view.owners.at(net("10.200.1.0/24")), "n2");
  EXPECT_THAT(view.peers, ElementsAre(node("n2", "192.0.2.2", "10.200.1.0/24")));
}

TEST(ClusterView, ForgetsWhatTheNodeWasOnceItIsListedAgain) {
  const auto now = node("n1", "192.0.2.1", "10.200.9.0/24");
  const auto view = view_cluster(
      {{now}, {}}, "n1",
      {.cidrs = {{net("10.200.1.0/24"), "n1"}}, .self = node("n1", "192.0.2.1", "10.200.1.0/24")});

  EXPECT_EQ(view.self, now);
  EXPECT_EQ(view.self_outdated, "");
  EXPECT_FALSE(view.owners.contains(net("10.200.1.0/24")));
}

TEST(ClusterView, TakesNobodyElsesLastStateForItsOwn) {
  const auto view =
      view_cluster({{}, {}}, "n1", {.self = node("n7", "192.0.2.7", "10.200.7.0/24")});

  EXPECT_FALSE(view.self);
}

}  // namespace
}  // namespace kubecni::test
