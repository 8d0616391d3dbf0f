#include "control/nodes/peer_steps.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace kubecni::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;

constexpr const char* kBridge = "cni0";
constexpr unsigned kMainTable = 254;

/// On the network of eth1, and on none.
const Node kNear = node("n2", "198.51.100.7", "10.200.2.0/24");
const Node kFar = node("n3", "203.0.113.9", "10.200.3.0/24");

/// What the plan for both has of all.
DesiredState of_all() {
  const DesiredState all = plan_desired_state(view_of({kNear, kFar}), underlay(), kBridge);
  DesiredState kept;
  kept.wires = all.wires;
  kept.rules = all.rules;
  kept.mtu = all.mtu;
  return kept;
}

DesiredState plan(const Node& peer) { return plan_peer(peer, underlay(), kBridge, {}, of_all()); }

TEST(PeerSteps, ThePlanForOnePeerIsItsPartOfThePlanForAll) {
  const DesiredState all = plan_desired_state(view_of({kNear, kFar}), underlay(), kBridge);

  for (const Node& peer : {kNear, kFar}) {
    const DesiredState one = plan(peer);
    for (const auto& route : one.routes) EXPECT_THAT(all.routes, Contains(route));
    for (const auto& [cidr, entry] : one.cidrs)
      EXPECT_EQ(std::memcmp(&entry, &all.cidrs.at(cidr), sizeof(entry)), 0) << cidr.str();
    for (const auto& one_neighbour : one.neighbours)
      EXPECT_THAT(all.neighbours, Contains(one_neighbour));
    EXPECT_THAT(one.cidrs, ElementsAre(Key(peer.pod_cidrs[0])));
  }
}

TEST(PeerSteps, ANodeThatComesOnlyAdds) {
  for (const Node& peer : {kNear, kFar}) {
    const auto steps = plan_peer_steps(of_all(), plan(peer), of_all(), {});

    ASSERT_TRUE(steps);
    EXPECT_THAT(steps->maps.cidrs.set, ElementsAre(Key(peer.pod_cidrs[0])));
    EXPECT_THAT(steps->routes.routes.set, Contains(Key(Pair(kMainTable, peer.pod_cidrs[0]))));
    EXPECT_THAT(steps->routes.routes.erase, IsEmpty());
    EXPECT_THAT(steps->maps.cidrs.erase, IsEmpty());
  }
}

TEST(PeerSteps, AnotherAddressReplacesAndErasesNothingElse) {
  const Node moved = node("n2", "198.51.100.8", "10.200.2.0/24");

  const auto steps = plan_peer_steps(plan(kNear), plan(moved), of_all(), {});

  ASSERT_TRUE(steps);
  ASSERT_EQ(steps->routes.routes.set.size(), 1u);
  EXPECT_EQ(steps->routes.routes.set[0].second.gateway, addr("198.51.100.8"));
  EXPECT_THAT(steps->routes.routes.erase, IsEmpty());
  EXPECT_THAT(steps->maps.cidrs.set, ElementsAre(Key(kNear.pod_cidrs[0])));
  EXPECT_THAT(steps->maps.cidrs.erase, IsEmpty());
}

TEST(PeerSteps, ANodeThatGoesLeavesWhatOthersMayShare) {
  const auto steps = plan_peer_steps(plan(kFar), of_all(), of_all(), {});

  ASSERT_TRUE(steps);
  EXPECT_THAT(steps->maps.cidrs.erase, ElementsAre(Key(kFar.pod_cidrs[0])));
  EXPECT_THAT(steps->routes.routes.erase, Contains(Key(Pair(kMainTable, kFar.pod_cidrs[0]))));
  EXPECT_THAT(steps->routes.neighbours.erase, IsEmpty());
  EXPECT_THAT(steps->maps.tunnel_peers.erase, IsEmpty());
}

TEST(PeerSteps, AnothersRouteToItsPodsNeedsARound) {
  const Route others{.dst = kNear.pod_cidrs[0],
                     .gateway = addr("198.51.100.1"),
                     .ifindex = 3,
                     .protocol = 4,
                     .encap = {},
                     .source = {}};

  const Node moved = node("n2", "198.51.100.8", "10.200.2.0/24");

  EXPECT_FALSE(plan_peer_steps(plan(kNear), plan(moved), of_all(), {others}));
  EXPECT_FALSE(plan_peer_steps(plan(kNear), of_all(), of_all(), {others}));
}

TEST(PeerSteps, TheFirstNodeBehindTheTunnelNeedsARound) {
  DesiredState without_tunnel = of_all();
  without_tunnel.rules.clear();
  const Node moved_away = node("n2", "203.0.113.8", "10.200.2.0/24");

  const auto before = plan_peer(kNear, underlay(), kBridge, {}, without_tunnel);
  const auto first = plan_peer(moved_away, underlay(), kBridge, {}, without_tunnel);

  EXPECT_FALSE(plan_peer_steps(before, first, without_tunnel, {}));
}

TEST(PeerSteps, ASmallerMtuNeedsARound) {
  DesiredState larger = of_all();
  larger.mtu = 9000;
  const Node moved_away = node("n2", "203.0.113.8", "10.200.2.0/24");

  const auto before = plan_peer(kNear, underlay(), kBridge, {}, larger);
  const auto smaller = plan_peer(moved_away, underlay(), kBridge, {}, larger);

  EXPECT_EQ(before.mtu, 9000u);
  EXPECT_FALSE(plan_peer_steps(before, smaller, larger, {}));
}

TEST(PeerSteps, ANodeThatCannotBeReachedNeedsARound) {
  Underlay without_tunnel = underlay();
  without_tunnel.tunnel.reset();
  const Node moved_away = node("n2", "203.0.113.8", "10.200.2.0/24");

  const auto after = plan_peer(moved_away, without_tunnel, kBridge, {}, of_all());

  EXPECT_FALSE(after.unreachable.empty());
  EXPECT_FALSE(plan_peer_steps(plan(kNear), after, of_all(), {}));
}

}  // namespace
}  // namespace kubecni::test
