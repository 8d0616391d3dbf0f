#include "daemon/bird_plan.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Node kNearNode = node("n2", "192.0.2.2", "10.200.2.0/24");
const Node kFarNode = node("n3", "203.0.113.9", "10.200.3.0/24");

DaemonOptions bgp_options_with(std::vector<BgpPeer> peers) {
  DaemonOptions options;
  options.routing = Routing::kBgp;
  options.bgp.peers = std::move(peers);
  return options;
}

Underlay underlay_with_router() {
  auto found = underlay(Routing::kBgp);
  add_way(found, "192.0.2.254", "eth0");
  add_way(found, "198.51.100.254", "eth1");
  add_way(found, "203.0.113.9", "eth0", "192.0.2.254");
  return found;
}

BirdConfig bird_plan_of(const std::vector<Node>& peers, const DaemonOptions& options) {
  return plan_bird(view_of(peers), underlay_with_router(), options);
}

TEST(BirdPlan, MeshWithoutPeersHasTheNodesOnALink) {
  const auto config = bird_plan_of({kNearNode, kFarNode}, bgp_options_with({}));

  EXPECT_EQ(config.router_id, addr("192.0.2.1"));
  EXPECT_THAT(config.announced, ElementsAre(net("10.200.1.0/24")));
  ASSERT_EQ(config.sessions.size(), 1u);
  const BirdSession& session = config.sessions.front();
  EXPECT_EQ(session.node, "n2");
  EXPECT_EQ(session.peer, addr("192.0.2.2"));
  EXPECT_TRUE(session.is_on_link && session.is_next_hop);
  EXPECT_THAT(session.accepted, ElementsAre(net("10.200.2.0/24")));
  EXPECT_THAT(config.next_hops, IsEmpty());
}

TEST(BirdPlan, WithAPeerTheMeshHasNodesBehindRouters) {
  const auto config = bird_plan_of(
      {kNearNode, kFarNode}, bgp_options_with({{.address = addr("192.0.2.254"), .as = 64600}}));

  ASSERT_EQ(config.sessions.size(), 3u);
  EXPECT_FALSE(config.sessions[2].is_on_link);
  const BirdSession& router = config.sessions[0];
  EXPECT_EQ(router.node, "");
  EXPECT_EQ(router.peer_as, 64600u);
  EXPECT_TRUE(router.is_on_link);
  EXPECT_FALSE(router.is_next_hop);
  EXPECT_THAT(router.accepted, ElementsAre(net("10.200.2.0/24"), net("10.200.3.0/24")));
  EXPECT_THAT(config.next_hops,
              ElementsAre(BirdNextHop{addr("203.0.113.9"), addr("192.0.2.254"), "eth0"}));
}

/// BIRD refuses a configuration with two sessions of one name.
TEST(BirdPlan, HasOneSessionForAnAddressThatTwoNodesShare) {
  const Node former = node("n9", "192.0.2.2", "10.200.9.0/24");

  const auto config = bird_plan_of({kNearNode, former}, bgp_options_with({}));

  ASSERT_EQ(config.sessions.size(), 1u);
  EXPECT_THAT(config.sessions[0].accepted, ElementsAre(net("10.200.2.0/24"), net("10.200.9.0/24")));
}

TEST(BirdPlan, ANodeThatIsAConfiguredPeerHasTheOperatorsSession) {
  const auto config =
      bird_plan_of({kNearNode}, bgp_options_with({{.address = addr("192.0.2.2"), .as = 64600}}));

  ASSERT_EQ(config.sessions.size(), 1u);
  EXPECT_EQ(config.sessions[0].peer_as, 64600u);
}

TEST(BirdPlan, HasNoSessionWithThisNode) {
  const Node impostor = node("n9", "192.0.2.1", "10.200.9.0/24");

  EXPECT_THAT(
      bird_plan_of({impostor}, bgp_options_with({{.address = addr("198.51.100.1")}})).sessions,
      IsEmpty());
}

TEST(BirdPlan, ReflectorOnALinkIsNotTheNextHop) {
  auto options = bgp_options_with({{.address = addr("198.51.100.254")}});
  options.bgp.mesh = false;

  const auto config = bird_plan_of({kNearNode}, options);

  ASSERT_EQ(config.sessions.size(), 1u);
  EXPECT_EQ(config.sessions[0].peer_as, 64512u);
  EXPECT_EQ(config.sessions[0].local, addr("198.51.100.1"));
  EXPECT_FALSE(config.sessions[0].is_on_link);
}

TEST(BirdPlan, TakesNoRouteThatWouldTakeWhatThisNodeNeeds) {
  const auto config =
      bird_plan_of({node("n2", "192.0.2.2", "198.51.100.0/24")}, bgp_options_with({}));

  ASSERT_EQ(config.sessions.size(), 1u);
  EXPECT_THAT(config.sessions[0].accepted, IsEmpty());
}

TEST(BirdPlan, NodeWithoutIpv4HasARouterIdAllTheSame) {
  auto view = view_of({});
  view.self->internal_ips = {addr("2001:db8::1")};
  const auto first = plan_bird(view, underlay_with_router(), bgp_options_with({})).router_id;
  view.self->internal_ips = {addr("2001:db8::2")};
  const auto second = plan_bird(view, underlay_with_router(), bgp_options_with({})).router_id;

  EXPECT_TRUE(first.is_v4());
  EXPECT_NE(first, IpAddr::any(AF_INET));
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace kubecni::test
