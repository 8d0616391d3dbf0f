#include "control/firewall/firewall_table.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

FirewallSpec dual_stack() {
  return {.masquerade = true,
          .own_pods = {net("10.200.0.0/24"), net("2001:db8:200::/64")},
          .cluster_pods = {net("10.200.0.0/24"), net("10.200.1.0/24"), net("2001:db8:200::/64")},
          .nodes = {addr("192.0.2.1"), addr("2001:db8::1")},
          .tunnel_peers = {addr("192.0.2.1"), addr("2001:db8::1")},
          .exceptions = {net("203.0.113.0/24")},
          .tunnel = {8472, 84},
          .guards_tunnel = false};
}

TEST(FirewallTable, IsNothingWhenThereIsNothingToDo) {
  FirewallSpec off = dual_stack();
  off.masquerade = false;
  FirewallSpec no_pods = dual_stack();
  no_pods.own_pods.clear();

  EXPECT_EQ(plan_table({}).text(), "");
  EXPECT_EQ(plan_table(off).text(), "");
  EXPECT_EQ(plan_table(no_pods).text(), "");
}

TEST(FirewallTable, MasqueradesEachFamilyOfThisNodesPods) {
  FirewallSpec spec = dual_stack();
  spec.own_pods = {net("10.200.0.0/24")};

  EXPECT_EQ(plan_table(spec).text(),
            R"(table inet kube-cni {
	comment "of kube-cnid, which undoes changes by others"
	set cluster_pods4 {
		type ipv4_addr; flags interval; comment "PodCIDRs of every node"; elements = { 10.200.0.0/24, 10.200.1.0/24 };
	}
	set exceptions4 {
		type ipv4_addr; flags interval; comment "never masqueraded"; elements = { 203.0.113.0/24 };
	}
	set nodes4 {
		type ipv4_addr; comment "InternalIPs of every node"; elements = { 192.0.2.1 };
	}
	set own_pods4 {
		type ipv4_addr; flags interval; comment "PodCIDRs of this node"; elements = { 10.200.0.0/24 };
	}
	chain from_pods4 {
		ip daddr @cluster_pods4 return comment "pods see each other's addresses"
		ip daddr @nodes4 return comment "nodes see the pods' addresses"
		ip daddr @exceptions4 return comment "the operator's exceptions"
		ip daddr { 224.0.0.0/4 } return comment "stays where it is"
		udp dport 8472 counter drop comment "would reach tunnels as this node"
		masquerade fully-random comment "to the outside with the node's address"
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @own_pods4 goto from_pods4 comment "from pods of this node"
	}
}
)");
  EXPECT_THAT(plan_table(dual_stack()).text(),
              HasSubstr("ip6 saddr @own_pods6 goto from_pods6 comment \"from pods of this node\""));
  EXPECT_THAT(plan_table(dual_stack()).text(), HasSubstr("{ fe80::/10, ff00::/8 } return"));
}

TEST(FirewallTable, GuardsTheTunnelAlsoWithoutMasquerade) {
  const FirewallSpec spec{.masquerade = false,
                          .own_pods = {},
                          .cluster_pods = {},
                          .nodes = {},
                          .tunnel_peers = {addr("192.0.2.1"), addr("192.0.2.101")},
                          .exceptions = {},
                          .tunnel = {8472, 84},
                          .guards_tunnel = true};

  const auto table = plan_table(spec).text();

  EXPECT_THAT(table, HasSubstr("type filter hook input priority filter"));
  EXPECT_THAT(table, HasSubstr("udp dport 8472 ip saddr != @tunnel_peers4 counter drop"));
  EXPECT_THAT(table, HasSubstr("udp dport 8472 ip6 saddr != @tunnel_peers6 counter drop"));
  EXPECT_THAT(table, HasSubstr("udp dport 8472 @th,96,24 != 84 counter drop"));
  EXPECT_THAT(table, HasSubstr("elements = { 192.0.2.1, 192.0.2.101 }"));
  EXPECT_THAT(table, Not(HasSubstr("masquerade")));
}

TEST(FirewallTable, LetsNothingTranslatedReachATunnel) {
  FirewallSpec spec = dual_stack();
  spec.has_tunnel = true;

  EXPECT_THAT(plan_table(spec).text(),
              HasSubstr("type filter hook postrouting priority srcnat + 10; policy accept;\n"
                        "\t\tudp dport 8472 ct direction original ct status snat counter drop"));
}

TEST(FirewallTable, KeepsConntrackFromTheTunnelsPacketsBetweenNodes) {
  FirewallSpec spec = dual_stack();
  EXPECT_THAT(plan_table(spec).text(), Not(HasSubstr("notrack")));
  spec.has_tunnel = true;

  EXPECT_THAT(plan_table(spec).text(),
              HasSubstr("type filter hook prerouting priority raw; policy accept;\n"
                        "\t\tudp dport 8472 ip saddr @tunnel_peers4 fib daddr type local notrack"));
  EXPECT_THAT(plan_table(spec).text(),
              HasSubstr("type filter hook output priority raw; policy accept;\n"
                        "\t\tudp dport 8472 ip daddr @tunnel_peers4 notrack"));
}

TEST(FirewallTable, KeepsItsSetsAndChainsWhenTheGuardComesAndGoes) {
  FirewallSpec guarded = dual_stack();
  guarded.has_tunnel = guarded.guards_tunnel = true;
  FirewallSpec left_to_ebpf = guarded;
  left_to_ebpf.guards_tunnel = false;

  EXPECT_THAT(plan_table(left_to_ebpf).text(), Not(HasSubstr("strangers")));
  EXPECT_TRUE(
      plan_replacement(kFirewallTable, plan_table(guarded).objects(), plan_table(left_to_ebpf))
          .starts_with("flush table"));
}

TEST(FirewallTable, LeavesOutNetworksThatOthersContain) {
  EXPECT_EQ(without_contained({net("10.1.2.3/24"), net("10.1.0.0/16"), net("2001:db8::/32"),
                               net("10.1.0.0/16"), net("10.1.0.0/24"), net("10.2.0.0/16"),
                               net("2001:db8:1::/48")}),
            (std::vector{net("10.1.0.0/16"), net("10.2.0.0/16"), net("2001:db8::/32")}));
}

TEST(FirewallTable, FillsATableOfTheSameSetsAndChainsAnew) {
  FirewallSpec spec;
  spec.guards_tunnel = true;
  const auto wanted = plan_table(spec);

  EXPECT_EQ(plan_replacement(kFirewallTable,
                             {"chain tunnel", "set tunnel_peers4", "set tunnel_peers6"}, wanted),
            "flush table inet kube-cni\nflush set inet kube-cni tunnel_peers4\n"
            "flush set inet kube-cni tunnel_peers6\n" +
                wanted.text());
}

TEST(FirewallTable, IsMadeAnewWhereSetsOrChainsDiffer) {
  const std::string anew = "add table inet kube-cni\ndelete table inet kube-cni\n";
  FirewallSpec spec;
  spec.guards_tunnel = true;
  const auto wanted = plan_table(spec);

  EXPECT_EQ(plan_replacement(kFirewallTable, {}, wanted), anew + wanted.text());
  EXPECT_EQ(plan_replacement(kFirewallTable, plan_table(dual_stack()).objects(), wanted),
            anew + wanted.text());
  EXPECT_EQ(plan_replacement(kFirewallTable, wanted.objects(), NftTable()), anew);
}

TEST(FirewallTable, ChangesElementsAloneWhereThatIsEnough) {
  FirewallSpec after = dual_stack();
  after.cluster_pods[1] = net("10.200.2.0/24");
  after.nodes.push_back(addr("192.0.2.9"));
  after.exceptions.clear();

  EXPECT_EQ(plan_elements(plan_table(dual_stack()), plan_table(after)),
            "delete element inet kube-cni cluster_pods4 { 10.200.1.0/24 }\n"
            "delete element inet kube-cni exceptions4 { 203.0.113.0/24 }\n"
            "add element inet kube-cni cluster_pods4 { 10.200.2.0/24 }\n"
            "add element inet kube-cni nodes4 { 192.0.2.9 }\n");
  EXPECT_EQ(plan_elements(plan_table(after), plan_table(after)), "");
}

TEST(FirewallTable, ChangesMoreThanElementsWhereRulesDiffer) {
  FirewallSpec one_family = dual_stack();
  one_family.own_pods.pop_back();
  FirewallSpec off = dual_stack();
  off.masquerade = false;
  FirewallSpec guarded = dual_stack();
  guarded.guards_tunnel = true;

  for (const FirewallSpec& other : {one_family, off, guarded}) {
    EXPECT_EQ(plan_elements(plan_table(dual_stack()), plan_table(other)), std::nullopt);
    EXPECT_EQ(plan_elements(plan_table(other), plan_table(dual_stack())), std::nullopt);
  }
}

TEST(MasqueradeRule, AppliesToWhatTheTableTranslates) {
  const MasqueradeRule rule(dual_stack());

  EXPECT_TRUE(rule.applies(addr("10.200.0.5"), addr("198.51.100.7")));
  EXPECT_TRUE(rule.applies(addr("2001:db8:200::5"), addr("2001:db8:f::1")));
  EXPECT_TRUE(rule.applies(addr("10.200.0.5"), addr("169.254.169.254"))) << "cloud metadata";
  EXPECT_FALSE(rule.applies(addr("10.200.1.5"), addr("198.51.100.7"))) << "another node's pod";
  EXPECT_FALSE(rule.applies(addr("192.0.2.1"), addr("198.51.100.7"))) << "the node";
  for (const char* inside : {"10.200.0.9", "10.200.1.9", "192.0.2.1", "203.0.113.9", "224.0.0.1"})
    EXPECT_FALSE(rule.applies(addr("10.200.0.5"), addr(inside))) << inside;
  for (const char* inside : {"2001:db8:200::9", "2001:db8::1", "fe80::1", "ff02::1"})
    EXPECT_FALSE(rule.applies(addr("2001:db8:200::5"), addr(inside))) << inside;
}

TEST(MasqueradeRule, OfNothingAppliesToNothing) {
  FirewallSpec off = dual_stack();
  off.masquerade = false;

  EXPECT_FALSE(MasqueradeRule(off).applies(addr("10.200.0.5"), addr("198.51.100.7")));
}

TEST(MasqueradeRule, IsWiderWithMorePodsOrLessInside) {
  const MasqueradeRule rule(dual_stack());
  FirewallSpec more_pods = dual_stack();
  more_pods.own_pods.push_back(net("10.200.7.0/24"));
  FirewallSpec more_nodes = dual_stack();
  more_nodes.nodes.push_back(addr("192.0.2.9"));
  FirewallSpec off = dual_stack();
  off.masquerade = false;

  EXPECT_FALSE(rule.is_wider_than(rule));
  EXPECT_TRUE(MasqueradeRule(more_pods).is_wider_than(rule));
  EXPECT_FALSE(rule.is_wider_than(MasqueradeRule(more_pods)));
  EXPECT_TRUE(rule.is_wider_than(MasqueradeRule(more_nodes)));
  EXPECT_FALSE(MasqueradeRule(more_nodes).is_wider_than(rule));
  EXPECT_TRUE(rule.is_wider_than(MasqueradeRule(off)));
  EXPECT_FALSE(MasqueradeRule(off).is_wider_than(rule));
}

TEST(FirewallTable, MarksWhatComesFromOtherNodes) {
  FirewallSpec spec = dual_stack();
  spec.has_tunnel = true;
  spec.masquerade = false;
  const NftTable without = plan_table(spec);
  EXPECT_THAT(without.text(), Not(HasSubstr("meta mark")));
  spec.marks_remote = true;

  const NftTable table = plan_table(spec);

  EXPECT_THAT(table.text(),
              HasSubstr("ip saddr @tunnel_peers4 meta mark set meta mark | 67108864"));
  EXPECT_THAT(table.text(),
              HasSubstr("ip saddr != @own_pods4 ip saddr @cluster_pods4 meta mark set "
                        "meta mark | 67108864"));
  EXPECT_EQ(table.sets.at("cluster_pods4").elements.size(), 2u);
  EXPECT_FALSE(table.sets.contains("cluster_pods6"));
  spec.masquerade = true;
  const auto objects = plan_table(spec).objects();
  spec.marks_remote = false;
  EXPECT_EQ(plan_table(spec).objects(), objects) << "then no packet misses a set that is made anew";
}

TEST(FirewallTable, TakesOtherNodesIntoTheSetsThatItHas) {
  const FirewallPeers peers{.cluster_pods = {net("10.200.2.0/24"), net("2001:db8:202::/64")},
                            .nodes = {addr("192.0.2.3")},
                            .tunnel_peers = {addr("192.0.2.3"), addr("192.0.2.4")}};
  FirewallSpec spec = dual_stack();
  spec.own_pods = {net("10.200.0.0/24")};

  AddedToSets added = plan_additions(spec, peers);
  EXPECT_THAT(added.networks,
              ElementsAre(Pair("cluster_pods4", ElementsAre(peers.cluster_pods[0]))));
  EXPECT_THAT(added.addresses, ElementsAre(Pair("nodes4", peers.nodes)));

  spec.has_tunnel = true;
  spec.masquerade = false;
  added = plan_additions(spec, peers);
  EXPECT_THAT(added.networks, IsEmpty());
  EXPECT_THAT(added.addresses, ElementsAre(Pair("tunnel_peers4", peers.tunnel_peers),
                                           Pair("tunnel_peers6", IsEmpty())));
}

}  // namespace
}  // namespace kubecni::test
