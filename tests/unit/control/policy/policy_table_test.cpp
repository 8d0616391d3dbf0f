#include "control/policy/policy_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni {
namespace {

using testing::HasSubstr;
using testing::Not;

PolicyTablePlan plan() {
  return {.sets = {{"known4", "set known4 { type ipv4_addr; }"}},
          .chains = {{"in_1", "\t\tcounter drop\n"}, {"in_2", "\t\treturn\n"}},
          .elements = {}};
}

TEST(PolicyTable, WhatIsThereIsNotMadeAgain) { EXPECT_EQ(plan_additions(plan(), plan()), ""); }

TEST(PolicyTable, ANewChainIsMadeAndTheOthersAreLeftAlone) {
  PolicyTablePlan known = plan();
  known.chains.erase("in_2");

  const std::string additions = plan_additions(known, plan());

  EXPECT_THAT(additions, HasSubstr("chain in_2 {\n\t\treturn\n\t}\n"));
  EXPECT_THAT(additions, Not(HasSubstr("in_1")));
  EXPECT_THAT(additions, Not(HasSubstr("known4")));
}

TEST(PolicyTable, AChainWithAnotherContentIsEmptiedFirst) {
  PolicyTablePlan known = plan();
  known.chains["in_2"] = "\t\tcounter drop\n";

  const std::string additions = plan_additions(known, plan());

  EXPECT_LT(additions.find("flush chain inet kube-cni-policy in_2\n"),
            additions.find("chain in_2 {\n\t\treturn"));
}

TEST(PolicyTable, WhatIsNotWantedAnyMoreIsRemovedChainsFirst) {
  EXPECT_EQ(plan_removals({"chain in_1", "chain in_2", "chain in_3", "set known4", "set set_4",
                           "map ingress4", "limit denied"},
                          plan()),
            "flush chain inet kube-cni-policy in_3\n"
            "delete chain inet kube-cni-policy in_3\n"
            "delete limit inet kube-cni-policy denied\n"
            "delete map inet kube-cni-policy ingress4\n"
            "delete set inet kube-cni-policy set_4\n");
}

TEST(PolicyTable, OnlyWhatWasLeftAndIsWantedWasTakenAway) {
  const auto element = [](const char* address) {
    return AddressElement{.key = {IpAddr::parse(address).value()}};
  };
  const AddressElements left{{"known4", {element("10.0.0.1"), element("10.0.0.2")}}};

  EXPECT_FALSE(lacks_elements(left, left, left));
  EXPECT_TRUE(lacks_elements({}, left, left));
  EXPECT_FALSE(lacks_elements({{"known4", {element("10.0.0.1")}}}, left,
                              {{"known4", {element("10.0.0.1")}}}))
      << "DEL removes what its pod had";
  EXPECT_FALSE(lacks_elements(
      {{"known4", {element("10.0.0.1"), element("10.0.0.2")}}, {"closed4", {element("10.0.0.3")}}},
      left, left))
      << "ADD closes its pod";
}

}  // namespace
}  // namespace kubecni
