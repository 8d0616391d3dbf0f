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

TEST(PeerSteps, ANodeThatComesGetsRouteAndMapEntries) {
  const auto steps = plan_peer_steps(of_all(), plan(kNear), of_all(), {});

  ASSERT_TRUE(steps);
  EXPECT_THAT(steps->routes.routes.set,
              ElementsAre(Pair(Pair(kMainTable, kNear.pod_cidrs[0]), testing::_)));
  EXPECT_THAT(steps->maps.cidrs.set, ElementsAre(Key(kNear.pod_cidrs[0])));
  EXPECT_THAT(steps->maps.tunnel_peers.set, ElementsAre(Key(kNear.internal_ips[0])));
  EXPECT_THAT(steps->routes.routes.erase, IsEmpty());
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

  EXPECT_FALSE(plan_peer_steps(of_all(), plan(kNear), of_all(), {others}));
}

TEST(PeerSteps, TheFirstNodeBehindTheTunnelNeedsARound) {
  DesiredState without_tunnel = of_all();
  without_tunnel.rules.clear();

  const auto first = plan_peer(kFar, underlay(), kBridge, {}, without_tunnel);

  EXPECT_FALSE(plan_peer_steps(without_tunnel, first, without_tunnel, {}));
}

TEST(PeerSteps, ASmallerMtuNeedsARound) {
  DesiredState larger = of_all();
  larger.mtu += 100;

  const auto smaller = plan_peer(kFar, underlay(), kBridge, {}, larger);

  EXPECT_FALSE(plan_peer_steps(larger, smaller, larger, {}));
}

TEST(PeerSteps, ANodeThatCannotBeReachedNeedsARound) {
  const Node around_this_one = node("n4", "203.0.113.10", "192.0.2.0/24");

  EXPECT_FALSE(plan_peer_steps(of_all(), plan(around_this_one), of_all(), {}));
}

}  // namespace
}  // namespace kubecni::test
