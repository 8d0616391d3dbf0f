#include "daemon/desired_state.hpp"

#include "builders.hpp"
#include "dataplane/dual_stack_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;
using testing::UnorderedElementsAre;

Uplink uplink(unsigned ifindex, const std::string& name, const std::string& address, unsigned mtu) {
  Uplink made;
  made.device = {ifindex, name};
  made.net = net(address);
  made.mtu = mtu;
  return made;
}

std::vector<Uplink> two_uplinks() {
  return {uplink(2, "eth0", "192.0.2.1/24", 1400), uplink(3, "eth1", "198.51.100.1/24", 9000)};
}

ClusterView view_of(const std::vector<Node>& peers) {
  return {.self = node("n1", "192.0.2.1", "10.200.1.0/24"),
          .peers = peers,
          .skipped = {},
          .owners = {}};
}

TEST(DesiredState, MarksItsOwnPodCidrAsLocal) {
  const auto state = plan_desired_state(view_of({}), two_uplinks());

  ASSERT_THAT(state.cidrs, UnorderedElementsAre(Key(net("10.200.1.0/24"))));
  EXPECT_EQ(state.cidrs.at(net("10.200.1.0/24")).kind, KUBECNI_NODE_LOCAL);
  EXPECT_THAT(state.routes, IsEmpty());
}

TEST(DesiredState, ReachesAPeerThroughTheDeviceOfItsNetwork) {
  const auto state =
      plan_desired_state(view_of({node("n2", "198.51.100.7", "10.200.2.0/24")}), two_uplinks());

  const auto& entry = state.cidrs.at(net("10.200.2.0/24"));
  EXPECT_EQ(entry.kind, KUBECNI_NODE_DIRECT);
  EXPECT_EQ(entry.egress_ifindex, 3u);
  EXPECT_EQ(next_hop_of(entry).str(), "198.51.100.7");
  EXPECT_EQ(entry.mtu, 9000u);
  const auto& route = state.routes.at(net("10.200.2.0/24"));
  EXPECT_EQ(route.gateway, addr("198.51.100.7"));
  EXPECT_EQ(route.ifindex, 3u);
  EXPECT_EQ(route.protocol, kRouteProtocol);
}

TEST(DesiredState, AttachesToTheDevicesOfItselfAndOfItsPeers) {
  const auto state =
      plan_desired_state(view_of({node("n2", "198.51.100.7", "10.200.2.0/24")}), two_uplinks());

  EXPECT_THAT(state.wires, UnorderedElementsAre(Key("eth0"), Key("eth1")));
}

TEST(DesiredState, GivesPodsTheSmallestMtuOnTheWayToOthers) {
  const auto alone = plan_desired_state(view_of({}), two_uplinks());
  const auto without_uplinks = plan_desired_state(view_of({}), {});

  EXPECT_EQ(alone.mtu, 1400u);
  EXPECT_EQ(without_uplinks.mtu, 1500u);
}

TEST(DesiredState, ReportsAPeerThatIsOnNoLink) {
  const auto state =
      plan_desired_state(view_of({node("n2", "203.0.113.9", "10.200.2.0/24")}), two_uplinks());

  ASSERT_EQ(state.unreachable.size(), 1u);
  EXPECT_EQ(state.unreachable[0].name, "n2");
  EXPECT_THAT(state.unreachable[0].reason, HasSubstr("203.0.113.9"));
  EXPECT_FALSE(state.cidrs.contains(net("10.200.2.0/24")));
  EXPECT_THAT(state.routes, IsEmpty());
}

TEST(DesiredState, TakesTheFirstAddressOfAPeerThatIsOnALink) {
  Node peer = node("n2", "203.0.113.9", "10.200.2.0/24");
  peer.internal_ips.push_back(addr("192.0.2.2"));

  const auto state = plan_desired_state(view_of({peer}), two_uplinks());

  EXPECT_EQ(state.routes.at(net("10.200.2.0/24")).gateway, addr("192.0.2.2"));
}

TEST(FindUplinks, LeavesOutTheBridgeTheLoopbackAndWhatIsDown) {
  const std::vector<Link> links{{.ifindex = 1, .name = "lo", .up = true},
                                {.ifindex = 2, .name = "eth0", .mtu = 1500, .up = true},
                                {.ifindex = 3, .name = "cni0", .up = true},
                                {.ifindex = 4, .name = "eth1", .up = false}};
  const std::vector<LinkAddress> addresses{{1, net("127.0.0.1/8")},
                                           {2, net("192.0.2.1/24")},
                                           {3, net("10.200.1.1/24")},
                                           {4, net("198.51.100.1/24")}};

  const auto uplinks = find_uplinks(links, addresses, "cni0");

  ASSERT_EQ(uplinks.size(), 1u);
  EXPECT_EQ(uplinks[0].device.name, "eth0");
  EXPECT_EQ(uplinks[0].mtu, 1500u);
}

TEST(PlanChanges, SetsWhatIsMissingOrDiffersAndErasesWhatIsNotWanted) {
  const std::map<int, int> wanted{{1, 10}, {2, 20}, {3, 30}};
  const std::map<int, int> actual{{1, 10}, {2, 99}, {4, 40}};

  const auto changes = plan_changes(wanted, actual, std::equal_to<>());

  EXPECT_THAT(changes.set, testing::ElementsAre(Pair(2, 20), Pair(3, 30)));
  EXPECT_THAT(changes.erase, testing::ElementsAre(Pair(4, 40)));
}

TEST(PlanChanges, PlansNothingWhenBothSidesAreEqual) {
  const std::map<int, int> both{{1, 10}};

  const auto changes = plan_changes(both, both, std::equal_to<>());

  EXPECT_THAT(changes.set, IsEmpty());
  EXPECT_THAT(changes.erase, IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
