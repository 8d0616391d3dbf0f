#include "daemon/cluster_view.hpp"

#include "builders.hpp"

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

  const auto view = view_cluster(snapshot, "n1", {{net("10.200.2.0/24"), "n3"}});

  EXPECT_THAT(view.peers, ElementsAre(snapshot.nodes[1]));
  EXPECT_EQ(view.skipped.at(0).name, "n2");
}

TEST(ClusterView, GivesAPodCidrToItsNewNodeWhenTheOldOneIsGone) {
  const NodeSnapshot snapshot{{node("n3", "192.0.2.3", "10.200.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {{net("10.200.2.0/24"), "n2"}});

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

TEST(ClusterView, RefusesAPodCidrThatHoldsTheAddressOfANode) {
  const NodeSnapshot snapshot{
      {node("n1", "192.0.2.1", "10.200.1.0/24"), node("n2", "192.0.2.2", "192.0.2.0/24")}, {}};

  const auto view = view_cluster(snapshot, "n1", {});

  EXPECT_THAT(view.peers, IsEmpty());
  EXPECT_EQ(view.skipped.at(0).reason, "PodCIDR 192.0.2.0/24 contains the node address 192.0.2.1");
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
  const auto view = view_cluster({{node("n2", "192.0.2.2", "10.200.2.0/24")}, {}}, "n1", {}, last);

  EXPECT_EQ(view.self, last);
  EXPECT_EQ(view.self_outdated, "the Node object n1 is gone");
  EXPECT_EQ(view.owners.at(net("10.200.1.0/24")), "n1");
  EXPECT_THAT(view.node_addresses, ElementsAre(addr("192.0.2.1"), addr("192.0.2.2")));
}

TEST(ClusterView, GoesOnAsTheNodeLastWasWhileItsObjectIsNotUsable) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");
  const auto view = view_cluster({{}, {{"n1", "no PodCIDR yet"}}}, "n1", {}, last);

  EXPECT_EQ(view.self, last);
  EXPECT_EQ(view.self_outdated, "no PodCIDR yet");
}

TEST(ClusterView, LosesThePodCidrThatAnotherNodeGotWhileItsObjectWasGone) {
  const auto last = node("n1", "192.0.2.1", "10.200.1.0/24");
  const auto view = view_cluster({{node("n2", "192.0.2.2", "10.200.1.0/24")}, {}}, "n1",
                                 {{net("10.200.1.0/24"), "n1"}}, last);

  ASSERT_TRUE(view.self);
  EXPECT_THAT(view.self->pod_cidrs, IsEmpty());
  EXPECT_EQ(view.owners.at(net("10.200.1.0/24")), "n2");
  EXPECT_THAT(view.peers, ElementsAre(node("n2", "192.0.2.2", "10.200.1.0/24")));
}

TEST(ClusterView, ForgetsWhatTheNodeWasOnceItIsListedAgain) {
  const auto now = node("n1", "192.0.2.1", "10.200.9.0/24");
  const auto view = view_cluster({{now}, {}}, "n1", {{net("10.200.1.0/24"), "n1"}},
                                 node("n1", "192.0.2.1", "10.200.1.0/24"));

  EXPECT_EQ(view.self, now);
  EXPECT_EQ(view.self_outdated, "");
  EXPECT_FALSE(view.owners.contains(net("10.200.1.0/24")));
}

TEST(ClusterView, TakesNobodyElsesLastStateForItsOwn) {
  const auto view = view_cluster({{}, {}}, "n1", {}, node("n7", "192.0.2.7", "10.200.7.0/24"));

  EXPECT_FALSE(view.self);
}

}  // namespace
}  // namespace kubecni::test
