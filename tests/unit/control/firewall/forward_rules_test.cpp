#include "control/firewall/forward_rules.hpp"

#include "support/ip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ForwardSpec dual_spec() {
  return {
      .accepts = true, .devices = {"cni0"}, .pods = {net("10.200.1.0/24"), net("fd00:10:1::/64")}};
}

ForwardChain dropping(const std::string& family) {
  return {.family = family, .table = "filter", .name = "FORWARD", .drops = true};
}

TEST(ForwardRulesPlan, AcceptsPodsOfTheChainsFamilyInBothDirections) {
  EXPECT_EQ(plan_forward_rules(dropping("ip"), {}, dual_spec()),
            "add rule ip filter FORWARD iifname \"cni0\" ip saddr 10.200.1.0/24 counter accept "
            "comment \"kube-cni: from pods 10.200.1.0/24 on cni0\"\n"
            "add rule ip filter FORWARD oifname \"cni0\" ip daddr 10.200.1.0/24 counter accept "
            "comment \"kube-cni: to pods 10.200.1.0/24 on cni0\"\n");
  const auto both = plan_forward_rules(dropping("inet"), {}, dual_spec());
  EXPECT_THAT(both, HasSubstr("ip saddr 10.200.1.0/24"));
  EXPECT_THAT(both, HasSubstr("ip6 daddr fd00:10:1::/64"));
}

TEST(ForwardRulesPlan, AcceptsPodsAtEachDevice) {
  ForwardSpec spec = dual_spec();
  spec.devices = {"cni0", "veth*"};

  const auto rules = plan_forward_rules(dropping("ip"), {}, spec);

  EXPECT_THAT(rules, HasSubstr("iifname \"cni0\" ip saddr 10.200.1.0/24"));
  EXPECT_THAT(rules, HasSubstr("iifname \"veth*\" ip saddr 10.200.1.0/24"));
}

TEST(ForwardRulesPlan, LeavesWhatIsRightAndRemovesTheRest) {
  const std::vector<CommentedRule> found{{1, "another's"},
                                         {2, "kube-cni: from pods 10.200.1.0/24 on cni0"},
                                         {3, "kube-cni: to pods 10.200.1.0/24 on cni0"},
                                         {4, "kube-cni: to pods 10.200.9.0/24 on cni0"},
                                         {5, "kube-cni: to pods 10.200.1.0/24 on cni0"}};

  EXPECT_EQ(plan_forward_rules(dropping("ip"), found, dual_spec()),
            "delete rule ip filter FORWARD handle 4\n"
            "delete rule ip filter FORWARD handle 5\n");
}

TEST(ForwardRulesPlan, LeavesAChainThatAcceptsAlone) {
  ForwardChain chain = dropping("ip");
  chain.drops = false;

  EXPECT_THAT(plan_forward_rules(chain, {}, dual_spec()), IsEmpty());
  EXPECT_EQ(
      plan_forward_rules(chain, {{7, "kube-cni: to pods 10.200.1.0/24 on cni0"}}, dual_spec()),
      "delete rule ip filter FORWARD handle 7\n");
}

TEST(ForwardRulesPlan, OfNothingRemovesAllOfOurs) {
  EXPECT_EQ(plan_forward_rules(dropping("ip"), {{2, "kube-cni: x"}, {3, "kube-proxy: y"}}, {}),
            "delete rule ip filter FORWARD handle 2\n");
}

TEST(ForwardChains, AreReadWithTheirPolicy) {
  const auto chains = forward_chains_in(R"({"nftables": [{"metainfo": {}},
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward",
               "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input",
               "policy": "drop"}},
    {"chain": {"family": "inet", "table": "t", "name": "f", "hook": "forward"}}]})");

  ASSERT_TRUE(chains);
  EXPECT_THAT(*chains, ElementsAre(ForwardChain{"ip", "filter", "FORWARD", true},
                                   ForwardChain{"inet", "t", "f", false}));
  EXPECT_FALSE(forward_chains_in("[}"));
}

TEST(ForwardChains, HaveTheirCommentedRulesRead) {
  const auto rules = commented_rules_in(R"({"nftables": [
    {"rule": {"handle": 4, "expr": []}}, {"rule": {"handle": 5, "comment": "a", "expr": []}},
    {"rule": {"handle": "6", "comment": "b"}}]})");

  ASSERT_TRUE(rules);
  EXPECT_THAT(*rules, ElementsAre(CommentedRule{5, "a"}));
}

}  // namespace
}  // namespace kubecni::test
