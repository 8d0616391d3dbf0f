#include "control/nodes/peer_path.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/rtnetlink.h>

namespace kubecni::test {
namespace {

using testing::HasSubstr;

const IpNet kCidr = net("10.200.2.0/24");
const IpNet kCidr6 = net("fd00:10:2::/64");

Node peer_at(const std::vector<std::string>& addresses) {
  Node peer{"n2", {}, {kCidr}};
  for (const auto& address : addresses) peer.internal_ips.push_back(addr(address));
  return peer;
}

TEST(ChoosePath, OnALinkOfOursIsDirect) {
  const auto path = choose_path(peer_at({"198.51.100.7"}), kCidr, underlay());

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->kind, PathKind::kDirect);
  EXPECT_EQ(path->next_hop, addr("198.51.100.7"));
  EXPECT_EQ(path->device.name, "eth1");
  EXPECT_EQ(path->mtu, 9000u);
  EXPECT_EQ(path->why, "on the network of eth1");
}

TEST(ChoosePath, OnNoLinkOfOursIsThroughTheTunnel) {
  const auto path = choose_path(peer_at({"203.0.113.9"}), kCidr, underlay());

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->kind, PathKind::kVxlan);
  EXPECT_EQ(path->next_hop, addr("203.0.113.9"));
  EXPECT_EQ(path->device.name, "kcni.vxlan");
  EXPECT_EQ(path->tunnel_mac.str(), "0a:58:cb:00:71:09");
  EXPECT_THAT(path->why, HasSubstr("203.0.113.9"));
}

Underlay bgp_underlay(const std::vector<Route>& routes) {
  auto from = underlay(Routing::kBgp);
  from.routes = routes;
  return from;
}

Route learned_route(const IpNet& dst) {
  return {.dst = dst,
          .gateway = addr("192.0.2.254"),
          .ifindex = 2,
          .protocol = RTPROT_BIRD,
          .table = kBgpTable,
          .encap = {},
          .source = {}};
}

TEST(ChoosePath, RouteOfBirdToThePodCidrIsTaken) {
  const auto from = bgp_underlay({learned_route(kCidr)});
  const auto path = choose_path(peer_at({"203.0.113.9"}), kCidr, from);

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->kind, PathKind::kDirect);
  EXPECT_TRUE(path->by_bgp);
  EXPECT_EQ(path->next_hop, addr("192.0.2.254"));
  EXPECT_EQ(path->device.name, "eth0");
  EXPECT_EQ(reserve_path(peer_at({"203.0.113.9"}), kCidr, from)->kind, PathKind::kVxlan);
}

TEST(ChoosePath, OtherRoutesAreNotThoseOfBird) {
  auto of_operator = learned_route(kCidr);
  of_operator.table = RT_TABLE_MAIN;
  auto of_others = learned_route(kCidr);
  of_others.protocol = RTPROT_STATIC;
  auto to_no_uplink = learned_route(kCidr);
  to_no_uplink.ifindex = 7;
  for (const Route& route :
       {of_operator, of_others, to_no_uplink, learned_route(net("10.200.0.0/16")),
        learned_route(net("10.200.2.0/25"))}) {
    auto from = bgp_underlay({route});
    const auto path = choose_path(peer_at({"192.0.2.2"}), kCidr, from);
    ASSERT_TRUE(path) << path.error();
    EXPECT_EQ(path->kind, PathKind::kVxlan);
    EXPECT_EQ(path->why, "BIRD has no route to it");

    from.falls_back_to_tunnel = false;
    EXPECT_THAT(choose_path(peer_at({"192.0.2.2"}), kCidr, from).error(),
                HasSubstr("--bgp-fallback is none"));
    EXPECT_FALSE(reserve_path(peer_at({"192.0.2.2"}), kCidr, from));
  }
}

TEST(ChoosePath, RoutingVxlanTunnelsAlsoOnALink) {
  const auto path = choose_path(peer_at({"192.0.2.2"}), kCidr, underlay(Routing::kVxlan));

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->kind, PathKind::kVxlan);
  EXPECT_EQ(path->mtu, 1350u);
  EXPECT_EQ(path->why, "--routing vxlan");
}

TEST(ChoosePath, RoutingDirectGoesByTheRouterThatLeadsThere) {
  auto from = underlay(Routing::kDirect);
  add_way(from, "203.0.113.9", "eth0", "192.0.2.254");

  const auto path = choose_path(peer_at({"203.0.113.9"}), kCidr, from);

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->kind, PathKind::kDirect);
  EXPECT_EQ(path->next_hop, addr("192.0.2.254"));
  EXPECT_EQ(path->device.name, "eth0");
  EXPECT_THAT(path->why, HasSubstr("router"));
}

TEST(ChoosePath, RoutingDirectNeedsAWay) {
  const auto path = choose_path(peer_at({"203.0.113.9"}), kCidr, underlay(Routing::kDirect));

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("203.0.113.9"));
  EXPECT_THAT(path.error(), HasSubstr("--routing auto"));
}

// 192.0.2.2 is in the network of eth0.
TEST(ChoosePath, TheKernelsWayCountsAndNotTheNetworksOfDevices) {
  auto by_other_device = underlay();
  add_way(by_other_device, "192.0.2.2", "eth1");
  auto by_router = underlay();
  add_way(by_router, "192.0.2.2", "eth1", "198.51.100.254");

  const auto direct = choose_path(peer_at({"192.0.2.2"}), kCidr, by_other_device);
  const auto tunnelled = choose_path(peer_at({"192.0.2.2"}), kCidr, by_router);

  ASSERT_TRUE(direct && tunnelled);
  EXPECT_EQ(direct->kind, PathKind::kDirect);
  EXPECT_EQ(direct->device.name, "eth1");
  EXPECT_EQ(tunnelled->kind, PathKind::kVxlan);
  EXPECT_EQ(tunnelled->outer_ifindex, 3u);
  EXPECT_EQ(tunnelled->mtu, 8950u);
}

// The tunnel's packets have the node's source, those of pods do not: rules may tell them apart.
TEST(ChoosePath, TheTunnelHasItsOwnWay) {
  auto from = underlay(Routing::kVxlan);
  from.tunnel_ways.at(addr("192.0.2.2")).device = {3, "eth1"};

  EXPECT_EQ(choose_path(peer_at({"192.0.2.2"}), kCidr, from)->outer_ifindex, 3u);
  from.routing = Routing::kAuto;
  EXPECT_EQ(choose_path(peer_at({"192.0.2.2"}), kCidr, from)->device.name, "eth0");
}

TEST(ChoosePath, WithoutAnEthernetHeaderOnlyAnAddressOfItsNetworkIsOnTheLink) {
  auto from = underlay();
  for (Link& link : from.links) link.has_ethernet = false;
  add_way(from, "192.0.2.2", "eth0");
  add_way(from, "203.0.113.9", "eth0");

  EXPECT_EQ(choose_path(peer_at({"192.0.2.2"}), kCidr, from)->kind, PathKind::kDirect);
  EXPECT_EQ(choose_path(peer_at({"203.0.113.9"}), kCidr, from)->kind, PathKind::kVxlan);
  from.routing = Routing::kDirect;
  EXPECT_EQ(choose_path(peer_at({"203.0.113.9"}), kCidr, from)->next_hop, addr("203.0.113.9"));
}

TEST(ChoosePath, DirectNeedsAnAddressOfThePodsFamily) {
  auto from = underlay();
  from.own_addresses.push_back(addr("2001:db8:1::1"));
  add_way(from, "2001:db8:1::2", "eth0");

  const auto direct = choose_path(peer_at({"192.0.2.2", "2001:db8:1::2"}), kCidr6, from);
  const auto tunnelled = choose_path(peer_at({"192.0.2.2"}), kCidr6, from);

  ASSERT_TRUE(direct && tunnelled);
  EXPECT_EQ(direct->kind, PathKind::kDirect);
  EXPECT_EQ(direct->next_hop, addr("2001:db8:1::2"));
  EXPECT_EQ(tunnelled->kind, PathKind::kVxlan);
  EXPECT_EQ(tunnelled->next_hop, addr("192.0.2.2"));
}

TEST(ChoosePath, TunnelEndsAtTheFirstAddressOfAFamilyOfOurs) {
  const auto path = choose_path(peer_at({"2001:db8:9::9", "203.0.113.9"}), kCidr, underlay());

  ASSERT_TRUE(path) << path.error();
  EXPECT_EQ(path->next_hop, addr("203.0.113.9"));
  // The MAC is that of the first address all the same: the other node derives it so.
  EXPECT_EQ(path->tunnel_mac, MacAddr::derived_from(addr("2001:db8:9::9")));
}

TEST(ChoosePath, TunnelOverIpv6LeavesRoomForItsLongerHeader) {
  auto from = underlay(Routing::kVxlan);
  from.own_addresses = {addr("2001:db8:1::1")};
  add_way(from, "2001:db8:1::2", "eth0");

  EXPECT_EQ(choose_path(peer_at({"2001:db8:1::2"}), kCidr, from)->mtu, 1330u);
}

TEST(ChoosePath, TunnelIsOfTheFamilyOfOurFirstAddress) {
  auto from = underlay(Routing::kVxlan);
  from.own_addresses = {addr("192.0.2.1"), addr("2001:db8:1::1")};

  EXPECT_EQ(choose_path(peer_at({"2001:db8:9::9", "203.0.113.9"}), kCidr, from)->next_hop,
            addr("203.0.113.9"));
}

TEST(ChoosePath, NoTunnelLeadsToOurselves) {
  // A Node object that was left behind under another name.
  const auto path = choose_path(peer_at({"192.0.2.1"}), kCidr, underlay(Routing::kVxlan));

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("192.0.2.1"));
}

TEST(ChoosePath, TunnelThatIsTooNarrowForIpv6SaysSo) {
  auto from = underlay(Routing::kVxlan);
  from.links[0].mtu = 1300;
  add_way(from, "192.0.2.2", "eth0");

  const auto path = choose_path(peer_at({"192.0.2.2"}), kCidr6, from);

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("1280"));
  EXPECT_EQ(choose_path(peer_at({"192.0.2.2"}), kCidr, from)->mtu, 1250u);
}

TEST(WithoutVxlan, IsNeverNegative) {
  EXPECT_EQ(without_vxlan(1500, AF_INET), 1450u);
  EXPECT_EQ(without_vxlan(1500, AF_INET6), 1430u);
  EXPECT_EQ(without_vxlan(49, AF_INET), 0u);
}

TEST(ChoosePath, WithoutATunnelSaysWhyThereIsNone) {
  auto from = underlay();
  from.tunnel.reset();
  from.no_tunnel_because = "UDP port 8472 is taken";

  const auto path = choose_path(peer_at({"203.0.113.9"}), kCidr, from);

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("UDP port 8472 is taken"));
}

TEST(ChoosePath, WithoutAnAddressOfOurFamilySaysSo) {
  const auto path = choose_path(peer_at({"2001:db8:9::9"}), kCidr, underlay());

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("family"));
}

TEST(ChoosePath, AnAddressOfOurOwnIsNoWayToAnother) {
  const auto path = choose_path(peer_at({"192.0.2.1"}), kCidr, underlay());

  ASSERT_FALSE(path);
  EXPECT_THAT(path.error(), HasSubstr("(192.0.2.1) is this node's own"));
}

TEST(FindUplinks, LeavesOutBridgeTunnelLoopbackLinkLocalAndWhatIsDown) {
  const std::vector<Link> links{{.ifindex = 1, .name = "lo", .up = true},
                                {.ifindex = 2, .name = "eth0", .mtu = 1500, .up = true},
                                {.ifindex = 6, .name = "wg0", .up = true, .has_ethernet = false},
                                {.ifindex = 3, .name = "cni0", .up = true},
                                {.ifindex = 4, .name = "eth1", .up = false},
                                {.ifindex = 5, .name = kTunnelName, .up = true}};
  const std::vector<LinkAddress> addresses{
      {1, net("127.0.0.1/8")},     {2, net("192.0.2.1/24")},  {2, net("2001:db8:1::1/64")},
      {2, net("fe80::1/64")},      {3, net("10.200.1.1/24")}, {4, net("198.51.100.1/24")},
      {5, net("198.51.100.9/24")}, {6, net("203.0.113.1/24")}};

  const auto uplinks = find_uplinks(find_node_links(links, "cni0"), addresses);

  ASSERT_EQ(uplinks.size(), 3u);
  EXPECT_FALSE(uplinks[2].has_ethernet);
  EXPECT_TRUE(uplinks[0].has_ethernet);
  EXPECT_EQ(uplinks[0].net, net("192.0.2.1/24"));
  EXPECT_EQ(uplinks[0].mtu, 1500u);
  EXPECT_EQ(uplinks[1].net, net("2001:db8:1::1/64"));
}

TEST(Detour, LeadsThroughTheTunnelForItsFamilyAlone) {
  const Node peer = dual_node("n2", "192.0.2.7", "10.200.2.0/24", "2001:db8::7", "fd00:10:2::/64");
  auto from = underlay();
  add_way(from, "2001:db8::7", "eth0");
  from.detours = {{"n2", AF_INET}};

  EXPECT_EQ(choose_path(peer, peer.pod_cidrs[0], from)->kind, PathKind::kVxlan);
  EXPECT_EQ(choose_path(peer, peer.pod_cidrs[1], from)->kind, PathKind::kDirect);
}

TEST(Detour, IsNoneWithoutATunnelOrWithAnotherRouting) {
  const Node peer = node("n2", "192.0.2.7", "10.200.2.0/24");
  auto from = underlay();
  from.detours = {{"n2", AF_INET}};
  from.tunnel.reset();
  EXPECT_EQ(choose_path(peer, peer.pod_cidrs[0], from)->kind, PathKind::kDirect);
  from = underlay(Routing::kDirect);
  from.detours = {{"n2", AF_INET}};
  EXPECT_EQ(choose_path(peer, peer.pod_cidrs[0], from)->kind, PathKind::kDirect);
}

}  // namespace
}  // namespace kubecni::test
