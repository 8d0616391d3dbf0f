#include "control/nodes/desired_state.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr const char* kBridge = "cni0";
constexpr unsigned kMainTable = 254;

/// On the network of eth1, and on none.
const Node kNear = node("n2", "198.51.100.7", "10.200.2.0/24");
const Node kFar = node("n3", "203.0.113.9", "10.200.3.0/24");
const IpNet kNearCidr = kNear.pod_cidrs[0];
const IpNet kFarCidr = kFar.pod_cidrs[0];

DesiredState plan(const std::vector<Node>& peers, const Underlay& from = underlay()) {
  return plan_desired_state(view_of(peers), from, kBridge);
}

void take_ethernet_off(Underlay& from) {
  for (Uplink& uplink : from.uplinks) uplink.has_ethernet = false;
  for (Link& link : from.links) link.has_ethernet = false;
  for (auto& [address, way] : from.ways) way.has_ethernet = false;
}

std::string next_hop_text(const kubecni_node& entry) {
  return entry.next_hop_family == AF_INET ? IpAddr::v4({entry.next_hop[0], entry.next_hop[1],
                                                        entry.next_hop[2], entry.next_hop[3]})
                                                .str()
                                          : IpAddr::v6(entry.next_hop).str();
}

TEST(DesiredState, MarksItsOwnPodCidrAsLocal) {
  const auto state = plan({});

  ASSERT_THAT(state.cidrs, UnorderedElementsAre(Key(net("10.200.1.0/24"))));
  EXPECT_EQ(state.cidrs.at(net("10.200.1.0/24")).kind, KUBECNI_NODE_LOCAL);
  EXPECT_THAT(state.routes, IsEmpty());
  EXPECT_THAT(state.rules, IsEmpty());
}

TEST(DesiredState, ReachesAPeerOnALinkByItsDevice) {
  const auto state = plan({kNear});

  const auto& entry = state.cidrs.at(kNearCidr);
  EXPECT_EQ(entry.kind, KUBECNI_NODE_DIRECT);
  EXPECT_EQ(entry.egress_ifindex, 3u);
  EXPECT_EQ(next_hop_text(entry), "198.51.100.7");
  EXPECT_EQ(entry.mtu, 9000u);
  const auto& route = state.routes.at({kMainTable, kNearCidr});
  EXPECT_EQ(route.gateway, addr("198.51.100.7"));
  EXPECT_EQ(route.ifindex, 3u);
  EXPECT_EQ(route.protocol, kRouteProtocol);
  EXPECT_FALSE(route.encap);
  EXPECT_THAT(state.neighbours, IsEmpty());
}

TEST(DesiredState, ReachesAPeerThroughTheTunnelOnBothPaths) {
  const auto state = plan({kFar});

  const auto& entry = state.cidrs.at(kFarCidr);
  EXPECT_EQ(entry.kind, KUBECNI_NODE_VXLAN);
  EXPECT_EQ(entry.egress_ifindex, 9u);
  EXPECT_EQ(entry.vni, 84u);
  EXPECT_EQ(next_hop_text(entry), "203.0.113.9");
  EXPECT_THAT(entry.tunnel_mac, ElementsAre(0x0a, 0x58, 203, 0, 113, 9));
  EXPECT_THAT(entry.own_tunnel_mac, ElementsAre(0x0a, 0x58, 192, 0, 2, 1));
  EXPECT_EQ(IpAddr::v6(entry.own_endpoint), addr("c000:201::"));  // 192.0.2.1
  const auto& route = state.routes.at({kMainTable, kFarCidr});
  EXPECT_EQ(route.encap, (Encap{addr("203.0.113.9"), 84, addr("192.0.2.1")}));
  EXPECT_EQ(route.gateway, addr("203.0.113.9"));
  EXPECT_TRUE(route.onlink);
  EXPECT_EQ(route.source, addr("192.0.2.1"));
  EXPECT_EQ(state.neighbours.at(addr("203.0.113.9")).mac.str(), "0a:58:cb:00:71:09");
}

TEST(DesiredState, TellsPodsByTheirAddressesWithoutABridge) {
  auto from = underlay();
  from.routed_cidrs = {net("10.200.1.0/24")};

  const auto state = plan({kFar}, from);

  ASSERT_EQ(state.rules.size(), 1u);
  EXPECT_EQ(state.rules.begin()->iif, "");
  EXPECT_EQ(state.rules.begin()->from, net("10.200.1.0/24"));
  const auto& nobody = state.routes.at({kMainTable, net("10.200.1.0/24")});
  EXPECT_FALSE(nobody.unicast) << "addresses that no pod has";
  EXPECT_EQ(nobody.ifindex, 0u);
}

TEST(DesiredState, AcceptsBothWaysOfAPeerOnAStrictDevice) {
  auto from = underlay();
  from.own_cidrs = {net("10.200.1.0/24"), net("fd00:1::/64")};
  add_way(from, "203.0.113.9", "eth0", "192.0.2.254");
  EXPECT_FALSE(plan({kFar}, from).has_ways_back());
  from.strict_devices = {"eth0"};

  const auto state = plan({kFar, kNear}, from);

  ASSERT_TRUE(state.has_ways_back());
  for (const IpNet& dst : {kFarCidr, net("203.0.113.9/32")}) {
    const auto& back = state.routes.at({kWayBackTable, dst});
    EXPECT_EQ(back.gateway, addr("192.0.2.254"));
    EXPECT_EQ(back.ifindex, 2u);
    EXPECT_FALSE(back.encap);
  }
  EXPECT_FALSE(state.routes.contains({kWayBackTable, kNearCidr})) << "it is reached directly";
  std::set<std::string> askers;
  for (const Rule& rule : state.rules) {
    if (rule.table != kWayBackTable) continue;
    EXPECT_EQ(rule.mark, KUBECNI_MARK_REMOTE);
    askers.insert(rule.from ? rule.from->str() : rule.iif);
  }
  EXPECT_THAT(askers, testing::ElementsAre("10.200.1.0/24", "lo"));

  from.strict_devices = {"eth1"};
  EXPECT_FALSE(plan({kFar}, from).has_ways_back()) << "the peer is not behind that";
  EXPECT_FALSE(plan({kNear}, from).has_ways_back());
}

TEST(DesiredState, LetsProgramsMakeTheOuterHeaderWhereTheyCan) {
  const auto encapsulates = [](const Underlay& from) {
    return plan({kFar}, from).cidrs.at(kFarCidr).outer_ifindex != 0;
  };
  Underlay from = underlay();
  from.tunnel->leaves_checksums = true;
  add_way(from, "203.0.113.9", "eth0", "192.0.2.254");
  ASSERT_TRUE(encapsulates(from));

  Underlay bad_nic = from;
  bad_nic.tunnel->leaves_checksums = false;
  EXPECT_FALSE(encapsulates(bad_nic));
  Underlay no_source = from;
  no_source.own_addresses = {addr("192.0.2.77")};
  EXPECT_FALSE(encapsulates(no_source));
  Underlay no_ethernet = from;
  take_ethernet_off(no_ethernet);
  EXPECT_FALSE(encapsulates(no_ethernet));
  Underlay no_way = from;
  no_way.tunnel_ways.clear();
  EXPECT_FALSE(encapsulates(no_way));
}

TEST(DesiredState, LeavesTheOuterSourceToTheKernelWhereItIsOnNoDevice) {
  auto from = underlay();
  from.own_addresses = {addr("192.0.2.77")};

  const auto state = plan({kFar}, from);

  EXPECT_EQ(IpAddr::v6(state.cidrs.at(kFarCidr).own_endpoint), addr("::"));
  EXPECT_FALSE(state.routes.at({kMainTable, kFarCidr}).encap->local);
}

TEST(DesiredState, KeepsTheTunnelBehindARouteOfBird) {
  auto from = underlay(Routing::kBgp);
  from.routes = {{.dst = kFarCidr,
                  .gateway = addr("192.0.2.254"),
                  .ifindex = 2,
                  .protocol = RTPROT_BIRD,
                  .table = kBgpTable}};

  const auto state = plan({kFar}, from);

  EXPECT_EQ(state.cidrs.at(kFarCidr).kind, KUBECNI_NODE_DIRECT);
  EXPECT_TRUE(state.routes.at({kMainTable, kFarCidr}).encap);
  EXPECT_FALSE(state.routes.contains({kNodeTable, net("203.0.113.9/32")}));
  EXPECT_EQ(state.neighbours.size(), 1u);
  EXPECT_EQ(state.mtu, 1350u);
  ASSERT_EQ(state.rules.size(), 1u);
  EXPECT_EQ(state.rules.begin()->table, kBgpTable);
  EXPECT_EQ(state.rules.begin()->iif, "");

  from.falls_back_to_tunnel = false;
  const auto without = plan({kFar}, from);
  EXPECT_TRUE(without.routes.empty());
  EXPECT_EQ(without.mtu, 1400u);
}

TEST(DesiredState, SendsPodsThroughTheTunnelToTheNodeBehindIt) {
  const auto state = plan({kFar});

  const auto& route = state.routes.at({kNodeTable, net("203.0.113.9/32")});
  EXPECT_EQ(route.encap, (Encap{addr("203.0.113.9"), 84, addr("192.0.2.1")}));
  ASSERT_EQ(state.rules.size(), 1u);
  EXPECT_EQ(state.rules.begin()->family, AF_INET);
  EXPECT_EQ(state.rules.begin()->iif, kBridge);
  EXPECT_EQ(state.rules.begin()->table, kNodeTable);
  EXPECT_THAT(plan({kNear}).rules, IsEmpty());
}

TEST(DesiredState, OfIpv6PodsOverAnIpv4TunnelHasALinkLocalGateway) {
  Node far = kFar;
  far.pod_cidrs.push_back(net("fd00:10:3::/64"));

  const auto state = plan({far});

  const auto& route = state.routes.at({kMainTable, net("fd00:10:3::/64")});
  const IpAddr gateway = MacAddr::derived_from(addr("203.0.113.9")).link_local();
  EXPECT_EQ(route.gateway, gateway);
  EXPECT_EQ(route.encap, (Encap{addr("203.0.113.9"), 84, addr("192.0.2.1")}));
  EXPECT_EQ(route.metric, kDefaultMetric6);
  EXPECT_FALSE(route.source) << "the node has no IPv6 address";
  EXPECT_EQ(state.neighbours.at(gateway).mac, MacAddr::derived_from(addr("203.0.113.9")));
  EXPECT_EQ(next_hop_text(state.cidrs.at(net("fd00:10:3::/64"))), "203.0.113.9");
}

TEST(DesiredState, OfDualStackNodesUsesTheOwnFamilyWhereItIsOnLink) {
  auto from = underlay();
  from.own_addresses.push_back(addr("2001:db8:1::1"));
  add_way(from, "2001:db8:1::7", "eth1");

  const auto state = plan(
      {dual_node("n2", "198.51.100.7", "10.200.2.0/24", "2001:db8:1::7", "fd00:10:2::/64")}, from);

  EXPECT_EQ(next_hop_text(state.cidrs.at(net("fd00:10:2::/64"))), "2001:db8:1::7");
  EXPECT_EQ(state.routes.at({kMainTable, net("fd00:10:2::/64")}).gateway, addr("2001:db8:1::7"));
  EXPECT_EQ(state.routes.at({kMainTable, net("10.200.2.0/24")}).gateway, addr("198.51.100.7"));
}

TEST(DesiredState, LetsEveryNodeUseTheTunnelWhateverOurWayToItIs) {
  const auto state = plan({kNear, kFar});

  EXPECT_THAT(state.tunnel_peers,
              UnorderedElementsAre(Key(addr("198.51.100.7")), Key(addr("203.0.113.9")),
                                   Key(addr("0.0.0.0")), Key(addr("::"))));
  EXPECT_EQ(state.tunnel_peers.at(addr("198.51.100.7")).vni, 84u);
}

TEST(DesiredState, WithoutATunnelHasNoTunnelPeers) {
  auto from = underlay();
  from.tunnel.reset();
  from.no_tunnel_because = "for a test";

  const auto state = plan({kNear, kFar}, from);

  EXPECT_THAT(state.tunnel_peers, IsEmpty());
  EXPECT_TRUE(state.cidrs.contains(kNearCidr));
  ASSERT_EQ(state.unreachable.size(), 1u);
  EXPECT_EQ(state.unreachable[0].name, "n3");
  EXPECT_THAT(state.unreachable[0].reason, HasSubstr("for a test"));
  EXPECT_FALSE(state.routes.contains({kMainTable, kFarCidr}));
}

TEST(DesiredState, AttachesToTheDevicesOfItselfAndOfItsPeers) {
  EXPECT_THAT(plan({kNear}).wires, UnorderedElementsAre(Key("eth0"), Key("eth1")));
  EXPECT_THAT(plan({kFar}).wires, UnorderedElementsAre(Key("eth0")));
}

TEST(DesiredState, AttachesToTheDeviceByWhichTheTunnelLeavesAndLetsProgramsUseIt) {
  Underlay from = underlay(Routing::kVxlan);
  from.tunnel->leaves_checksums = true;

  const auto state = plan({kNear}, from);

  EXPECT_THAT(state.wires, UnorderedElementsAre(Key("eth0"), Key("eth1")));
  EXPECT_EQ(state.cidrs.at(kNearCidr).outer_ifindex, 3u);
}

// As where routers spread a node's traffic over its NICs.
TEST(DesiredState, TunnelStartsFromAnInternalIpOnTheLoopback) {
  Underlay from = underlay(Routing::kVxlan);
  from.own_addresses = {addr("192.0.2.77")};
  from.local_addresses.push_back(addr("192.0.2.77"));

  const auto state = plan({kNear}, from);

  EXPECT_EQ(state.routes.at({kMainTable, kNearCidr}).encap->local, addr("192.0.2.77"));
  EXPECT_EQ(state.routes.at({kMainTable, kNearCidr}).source, addr("192.0.2.77"));
}

TEST(DesiredState, GivesPodsTheSmallestMtuOnTheWayToOthers) {
  Underlay nothing;

  EXPECT_EQ(plan({}).mtu, 1400u);
  EXPECT_EQ(plan({}, nothing).mtu, 1500u);
  EXPECT_EQ(plan({kNear}).mtu, 1400u);
  EXPECT_EQ(plan({}, underlay(Routing::kVxlan)).mtu, 1350u);
}

TEST(DesiredState, GivesPodsTheMtuOfTheTunnelWhereAPeerIsBehindIt) {
  auto from = underlay();
  add_way(from, "203.0.113.9", "eth0", "192.0.2.254");

  EXPECT_EQ(plan({kFar}, from).mtu, 1350u);
}

TEST(DesiredState, TakesTheFirstAddressOfAPeerThatIsOnALink) {
  Node peer = kFar;
  peer.internal_ips.push_back(addr("192.0.2.2"));

  EXPECT_EQ(plan({peer}).routes.at({kMainTable, kFarCidr}).gateway, addr("192.0.2.2"));
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

TEST(DesiredState, TunnelsToOneAddressOfANodeOnly) {
  Node greedy = kFar;
  greedy.internal_ips.push_back(addr("203.0.113.53"));

  const auto state = plan({greedy});

  EXPECT_TRUE(state.routes.contains({kNodeTable, net("203.0.113.9/32")}));
  EXPECT_FALSE(state.routes.contains({kNodeTable, net("203.0.113.53/32")}));
}

TEST(DesiredState, LeavesPodsUnreachedWhoseRouteWouldTakeItsOwnWaysAway) {
  Underlay from = underlay();
  from.routes = {{.dst = net("0.0.0.0/0"), .gateway = addr("192.0.2.254"), .ifindex = 2}};
  for (const auto& [cidr, what] :
       {std::pair{"192.0.2.0/29", "192.0.2.1, this node's address on eth0"},
        {"192.0.2.248/29", "192.0.2.254, the router of this node"}}) {
    const auto state = plan({node("n2", "198.51.100.7", cidr), kNear}, from);

    EXPECT_FALSE(state.routes.contains({kMainTable, net(cidr)}));
    EXPECT_FALSE(state.cidrs.contains(net(cidr)));
    ASSERT_EQ(state.unreachable.size(), 1u);
    EXPECT_THAT(state.unreachable[0].reason, HasSubstr(what));
    EXPECT_TRUE(state.cidrs.contains(kNearCidr)) << "the others are reached";
  }
}

// The programs would take the IP header for an Ethernet header.
TEST(DesiredState, LeavesDevicesWithoutAnEthernetHeaderToTheKernelAndSaysSo) {
  Underlay from = underlay();
  take_ethernet_off(from);

  const auto state = plan({kNear}, from);

  EXPECT_THAT(state.wires, IsEmpty());
  EXPECT_THAT(state.cidrs, UnorderedElementsAre(Key(net("10.200.1.0/24"))));
  EXPECT_TRUE(state.routes.contains({kMainTable, kNearCidr})) << "the kernel's path";
  ASSERT_EQ(state.paths.size(), 1u);
  EXPECT_THAT(state.paths[0].why, HasSubstr("no Ethernet header"));
  ASSERT_EQ(state.warnings.size(), 2u) << "one for each device";
  EXPECT_THAT(state.warnings[0].text, HasSubstr("device eth0 has no Ethernet header"));
  EXPECT_THAT(state.warnings[1].text, HasSubstr("device eth1 has no Ethernet header"));
}

// The tunnel's own device has one, whatever carries the tunnel.
TEST(DesiredState, SendsThroughATunnelOverSuchADeviceByEbpf) {
  Underlay from = underlay(Routing::kVxlan);
  take_ethernet_off(from);

  const auto state = plan({kNear}, from);

  EXPECT_EQ(state.cidrs.at(kNearCidr).kind, KUBECNI_NODE_VXLAN);
  EXPECT_THAT(state.wires, IsEmpty());
}

TEST(DesiredState, WarnsAboutItsOwnInternalIpOnNoDevice) {
  Underlay from = underlay();
  from.local_addresses = {addr("127.0.0.1")};

  const auto state = plan({}, from);

  ASSERT_EQ(state.warnings.size(), 1u);
  EXPECT_EQ(state.warnings[0].name, "n1");
  EXPECT_THAT(state.warnings[0].text, HasSubstr("192.0.2.1 is on no device of this node; set"));
  EXPECT_THAT(plan({}).warnings, IsEmpty());
}

TEST(DesiredState, WarnsAboutAPublicAddressOffItsLinksUnlessTheNodesNetworksAreConfigured) {
  const auto view = view_of({node("n2", "8.8.8.8", "10.200.2.0/24")});

  const auto state = plan_desired_state(view, underlay(), kBridge);

  ASSERT_EQ(state.warnings.size(), 1u);
  EXPECT_EQ(state.warnings[0].name, "n2");
  EXPECT_THAT(state.warnings[0].text, HasSubstr("--node-cidr"));
  const ClusterRules rules{.node_cidrs = {net("8.8.8.0/24")}};
  EXPECT_THAT(plan_desired_state(view, underlay(), kBridge, rules).warnings, IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
