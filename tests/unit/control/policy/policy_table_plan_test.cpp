#include "control/policy/policy_table_plan.hpp"

#include "dataplane/policy_sets.hpp"
#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>

namespace kubecni::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

/// The pod 10.200.1.2 takes TCP 80 to 90 from a set, and everything but a part of 10.0.0.0/8.
PolicyTableSpec one_pod() {
  PolicyTableSpec spec{.policy = {}, .own_pods = {net("10.200.1.0/24")}, .open = {}, .closed = {}};
  spec.policy.sets["set_1"] = {addr("10.200.1.3"), addr("fd00::3")};
  spec.policy.chains["in_1"] = {
      .direction = PolicyDirection::kIngress,
      .terms = {{.peer = {.kind = PeerMatch::Kind::kSet, .set = "set_1"},
                 .ports = {.protocol = IPPROTO_TCP, .ranges = {{80, 90}, {443, 443}}},
                 .origin = "shop/web#ingress0"},
                {.peer = {.kind = PeerMatch::Kind::kBlock,
                          .block = {net("10.0.0.0/8"),
                                    {net("10.2.0.0/16"), net("10.1.0.0/16"), net("10.1.7.0/24")}}},
                 .origin = "shop/web#ingress1"}},
      .policies = {"shop/web"}};
  spec.policy.subjects[addr("10.200.1.2")] = {.ingress = "in_1"};
  return spec;
}

TEST(PolicyTablePlan, IngressLooksAtTheSourceAndTheDestinationsPort) {
  EXPECT_EQ(plan_policy_table(one_pod()).chains.at("in_14"),
            "\t\tip saddr @set_1_4 tcp dport { 80-90, 443 } return comment \"shop/web#ingress0\"\n"
            "\t\tip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16, 10.2.0.0/16 } return comment "
            "\"shop/web#ingress1\"\n"
            "\t\tcounter drop comment \"no rule of shop/web\"\n");
}

TEST(PolicyTablePlan, AnswersAreJudgedTheOtherWayRound) {
  EXPECT_THAT(plan_policy_table(one_pod()).chains.at("in_14r"),
              HasSubstr("\t\tip daddr @set_1_4 tcp sport { 80-90, 443 } return"));
}

TEST(PolicyTablePlan, OnlyTheOpenersOwnPoliciesReject) {
  PolicyTableSpec spec = one_pod();
  spec.policy.chains["eg_1"] = {.direction = PolicyDirection::kEgress, .policies = {"shop/web"}};
  spec.rejects_egress = true;
  const auto chains = plan_policy_table(spec).chains;

  EXPECT_EQ(
      chains.at("eg_14"),
      "\t\tcounter reject with icmpx type admin-prohibited comment \"no rule of shop/web\"\n");
  EXPECT_EQ(chains.at("eg_16"), chains.at("eg_14"));
  for (const char* name : {"eg_14r", "eg_16r", "in_14", "in_16", "in_14r", "in_16r", "judge"})
    EXPECT_THAT(chains.at(name), Not(HasSubstr("reject"))) << name;

  spec.rejects_egress = false;
  for (const auto& [name, body] : plan_policy_table(spec).chains)
    EXPECT_THAT(body, Not(HasSubstr("reject"))) << name;
}

TEST(PolicyTablePlan, EachChainLogsWithItsNameWithinOneLimit) {
  PolicyTableSpec spec = one_pod();
  spec.logs = true;
  const auto plan = plan_policy_table(spec);

  for (const char* name : {"in_14", "in_14r", "in_16", "in_16r"})
    EXPECT_THAT(plan.chains.at(name),
                testing::EndsWith("\t\tlimit name \"denied\" log prefix \"" + std::string(name) +
                                  "\" group 84\n"
                                  "\t\tcounter drop comment \"no rule of shop/web\"\n"));
  EXPECT_EQ(plan.sets.at("denied"), "limit denied { rate 10/second burst 20 packets; }");
  EXPECT_THAT(plan.elements, Not(Contains(Key("denied"))));
  EXPECT_THAT(plan_policy_table(one_pod()).sets, Not(Contains(Key("denied"))));
}

TEST(PolicyTablePlan, AChainHasTheTermsOfItsFamily) {
  const auto plan = plan_policy_table(one_pod());

  EXPECT_THAT(plan.chains.at("in_16"), HasSubstr("ip6 saddr @set_1_6 tcp dport"));
  EXPECT_THAT(plan.chains.at("in_16"), Not(HasSubstr("10.0.0.0")));
  EXPECT_EQ(plan.elements.at("set_1_4"), (std::set<AddressElement>{{{addr("10.200.1.3")}}}));
  EXPECT_EQ(plan.elements.at("set_1_6"), (std::set<AddressElement>{{{addr("fd00::3")}}}));
}

// ADD and DEL remove what they find there.
TEST(PolicyTablePlan, AllThatIsSaidOfAPodIsUnderItsKeys) {
  for (const char* text : {"10.200.1.2", "fd00::2"}) {
    PolicyTableSpec spec = one_pod();
    const IpAddr pod = addr(text);
    spec.policy.chains["eg_1"] = {.direction = PolicyDirection::kEgress, .policies = {"shop/web"}};
    spec.policy.subjects = {{pod, {.ingress = "in_1", .egress = "eg_1"}}};
    spec.closed = {pod};

    AddressElements said;
    for (const auto& [set, elements] : plan_policy_table(spec).elements)
      for (const AddressElement& element : elements)
        if (element.key.front() == pod) said[set].insert({element.key});

    EXPECT_EQ(said, policy_keys_of(pod));
  }
}

TEST(PolicyTablePlan, ASubjectIsKnownAndHasItsChains) {
  const auto plan = plan_policy_table(one_pod());
  const IpAddr pod = addr("10.200.1.2");

  EXPECT_EQ(plan.elements.at("known4"), (std::set<AddressElement>{{{pod}}}));
  EXPECT_EQ(plan.elements.at("self4"), (std::set<AddressElement>{{{pod, pod}}}));
  EXPECT_EQ(plan.elements.at("ingress4"), (std::set<AddressElement>{{{pod}, "in_14"}}));
  EXPECT_EQ(plan.elements.at("ingress4r"), (std::set<AddressElement>{{{pod}, "in_14r"}}));
  EXPECT_TRUE(plan.elements.at("egress4").empty());
}

TEST(PolicyTablePlan, WhatIsNotKnownInTheNodesNetworksIsDropped) {
  auto spec = one_pod();
  spec.closed = {addr("192.0.2.7")};
  const auto plan = plan_policy_table(spec);

  EXPECT_THAT(plan.chains.at("judge"), HasSubstr("ip saddr 10.200.1.0/24 ip saddr != @known4 "
                                                 "counter drop"));
  EXPECT_THAT(plan.chains.at("judge"), HasSubstr("ip daddr 10.200.1.0/24 ip daddr != @known4 "
                                                 "counter drop"));
  EXPECT_EQ(plan.elements.at("closed4"), (std::set<AddressElement>{{{addr("192.0.2.7")}}}));
}

TEST(PolicyTablePlan, TheNodesOwnAddressesAreNoPods) {
  auto spec = one_pod();
  spec.open = {addr("10.200.1.0")};

  EXPECT_EQ(plan_policy_table(spec).elements.at("known4"),
            (std::set<AddressElement>{{{addr("10.200.1.0")}}, {{addr("10.200.1.2")}}}));
}

TEST(PolicyTablePlan, ABlockOfAllAddressesNeedsNoMatch) {
  auto spec = one_pod();
  spec.policy.chains["in_1"].terms = {
      {.peer = {.kind = PeerMatch::Kind::kBlock, .block = {net("0.0.0.0/0")}},
       .ports = {.protocol = IPPROTO_SCTP},
       .origin = "a/b#ingress0"}};

  EXPECT_THAT(plan_policy_table(spec).chains.at("in_14"),
              HasSubstr("\t\tmeta l4proto sctp return"));
  EXPECT_THAT(plan_policy_table(spec).chains.at("in_16"), Not(HasSubstr("return")));
}

TEST(PolicyTablePlan, WhatGoesToManyIsDroppedWhereAPodIsIsolated) {
  auto spec = one_pod();
  const char* drop = "ip6 daddr ff00::/8 counter drop";
  EXPECT_THAT(plan_policy_table(spec).chains.at("judge"), HasSubstr(drop));

  spec.policy.subjects.begin()->second = {.egress = "in_1"};

  EXPECT_THAT(plan_policy_table(spec).chains.at("judge"), Not(HasSubstr(drop)));
}

// The programs drop what a policed pod sends or gets without the mark.
TEST(PolicyTablePlan, WhatPassesIsMarked) {
  const auto chains = plan_policy_table(one_pod()).chains;
  const std::string mark = "meta mark set meta mark | 33554432";

  EXPECT_EQ(chains.at("passed"), "\t\t" + mark + " accept\n");
  for (const char* name : {"original", "reply"})
    EXPECT_THAT(chains.at(name), testing::EndsWith("\t\tgoto allowed\n")) << name;
  EXPECT_THAT(
      chains.at("allowed"),
      testing::StartsWith("\t\tip saddr @known4 meta nfproto vmap { ipv4 : goto passed }\n"));
  const std::string& judge = chains.at("judge");
  std::size_t accepts = 0;
  for (auto at = judge.find(" accept"); at != std::string::npos;
       at = judge.find(" accept", at + 1)) {
    if (judge.substr(at).starts_with(" accept comment \"a DHCP client asks\"")) continue;
    EXPECT_EQ(judge.substr(at - mark.size(), mark.size()), mark) << judge.substr(at);
    ++accepts;
  }
  EXPECT_EQ(accepts, 4u);
}

// The image has no /etc/protocols.
TEST(PolicyTablePlan, NamesNoProtocolThatNftWouldHaveToLookUp) {
  EXPECT_THAT(plan_policy_table(one_pod()).chains.at("judge"), Not(HasSubstr("ipv6-icmp")));
}

TEST(PolicyTablePlan, NamesOfObjectsCannotEndAComment) {
  auto spec = one_pod();
  spec.policy.chains["in_1"].policies = {"a/b\"; accept \n" + std::string(200, 'x')};
  const auto body = plan_policy_table(spec).chains.at("in_14");

  EXPECT_THAT(body, HasSubstr("comment \"no rule of a/b?? accept ?xxx"));
  EXPECT_LT(body.substr(body.find("no rule of")).size(), 130u);
}

TEST(PolicyTablePlan, OnlyUsedSetsAreMade) {
  auto spec = one_pod();
  spec.policy.sets["set_2"] = {addr("10.200.1.4")};

  EXPECT_THAT(plan_policy_table(spec).sets, Not(Contains(Key("set_2_4"))));
}

}  // namespace
}  // namespace kubecni::test
