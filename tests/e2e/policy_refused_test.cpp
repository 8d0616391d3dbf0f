// A policy's chain that the kernel refuses closes its pods, and leaves the others alone.

#include "control/policy/policy_table.hpp"
#include "net/link_pair.hpp"

namespace kubecni::test {
namespace {

class PolicyRefused : public LinkPair {
 protected:
  static std::shared_ptr<PolicyTablePlan> plan(const std::vector<std::string>& chains) {
    auto made = std::make_shared<PolicyTablePlan>();
    PolicyTablePlan& plan = *made;
    for (const std::string& name : chains)
      plan.chains[name] = name.starts_with("in_bad") ? "\t\tjump nowhere\n" : "\t\treturn\n";
    plan.sets["ingress4"] = "map ingress4 { type ipv4_addr : verdict; }";
    for (const std::string& name : chains)
      plan.elements["ingress4"].insert(
          {{addr("192.0.2." + std::to_string(plan.elements["ingress4"].size() + 1))}, name});
    return made;
  }

  std::string listed() { return Node::must_run_in(here, {"nft", "list", "ruleset"}); }
};

TEST_F(PolicyRefused, ChainsDropAndAllOthersAreAsWanted) {
  here.enter([&] {
    auto table = must(PolicyTable::open());

    EXPECT_NE(must(table.sync(plan({"eg_1", "in_1", "in_2", "in_bad1", "in_bad2"}))), "");

    ASSERT_EQ(table.refused().size(), 2u);
    EXPECT_THAT(table.refused().at("in_bad1"), testing::HasSubstr("No such file or directory"));
    EXPECT_TRUE(table.refused().contains("in_bad2"));
    EXPECT_THAT(listed(),
                testing::HasSubstr("chain in_bad1 {\n\t\tcounter packets 0 bytes 0 drop"));
    EXPECT_THAT(listed(), testing::HasSubstr("chain in_1 {\n\t\treturn"));
    EXPECT_THAT(listed(), testing::HasSubstr("192.0.2.4 : jump in_bad1"));
    EXPECT_EQ(must(table.sync(plan({"eg_1", "in_1", "in_2", "in_bad1", "in_bad2"}))), "");

    EXPECT_NE(must(table.sync(plan({"in_1", "in_3"}))), "");
    EXPECT_TRUE(table.refused().empty());
    EXPECT_THAT(listed(), testing::Not(testing::HasSubstr("in_bad")));
  });
}

TEST_F(PolicyRefused, AFaultOfTheTableItselfLeavesItAsItWas) {
  here.enter([&] {
    auto table = must(PolicyTable::open());
    const std::string hook = "\t\ttype filter hook forward priority filter - 5; policy accept;\n";
    auto right = plan({"in_1"});
    right->chains["forward"] = hook + "\t\tjump in_1\n";
    must(table.sync(right));
    const auto before = listed();
    ASSERT_THAT(before, testing::HasSubstr("jump in_1"));
    auto wrong = plan({"in_1"});
    wrong->chains["forward"] = hook + "\t\tjump nowhere\n";

    EXPECT_FALSE(table.sync(wrong));

    EXPECT_EQ(listed(), before);
  });
}

}  // namespace
}  // namespace kubecni::test
