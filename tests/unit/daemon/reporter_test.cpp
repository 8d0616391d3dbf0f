#include "daemon/reporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;

Outcome outcome_of(std::string_view controller, std::vector<Condition> conditions) {
  return {.controller = controller, .conditions = std::move(conditions)};
}

TEST(Reporter, EachConditionHasItsPlaceInTheStatus) {
  RoundReport report;
  report.outcomes = {
      outcome_of("cluster", {{ConditionKind::kNodeSkipped, "no PodCIDR yet", "n3"},
                             {ConditionKind::kNodeDoubtful, "8.8.4.4 is in the internet", "n4"}}),
      outcome_of("programs", {{ConditionKind::kKernelPath, "no BTF"},
                              {ConditionKind::kFailed, "load: no BTF"}}),
      outcome_of("nodes", {{ConditionKind::kNodeSkipped, "no way", "n5"},
                           {ConditionKind::kFailed, "route: no"}}),
      outcome_of("install", {{ConditionKind::kListPending, "portmap is being asked"},
                             {ConditionKind::kPlugins, "05-x.conf is taken instead"}}),
      outcome_of("sweep", {{ConditionKind::kFullPool, "10.1.0.0/24 is full"}})};

  const auto status = status_of(report, "n1", {"file:/nodes.json", "gone"}, {"off", "off"});

  EXPECT_EQ(status.node_name, "n1");
  EXPECT_EQ(status.source, "file:/nodes.json");
  EXPECT_EQ(status.source_error, "gone");
  ASSERT_EQ(status.skipped.size(), 2u);
  EXPECT_EQ(status.skipped[0].name, "n3");
  EXPECT_EQ(status.skipped[1].reason, "no way");
  ASSERT_EQ(status.warnings.size(), 1u);
  EXPECT_EQ(status.warnings[0].name, "n4");
  EXPECT_EQ(status.fallback_reason, "no BTF");
  EXPECT_THAT(status.errors, ElementsAre("load: no BTF", "route: no"));
  EXPECT_THAT(status.full_pools, ElementsAre("10.1.0.0/24 is full"));
  EXPECT_EQ(status.cni.pending, "portmap is being asked");
  EXPECT_THAT(status.cni.warnings, ElementsAre("05-x.conf is taken instead"));
}

TEST(Reporter, TheSoonestControllerDecidesWhenToLookAgain) {
  RoundReport report;
  EXPECT_FALSE(report.again_in());
  report.outcomes = {outcome_of("nodes", {}), outcome_of("pods", {}), outcome_of("install", {})};
  report.outcomes[0].again_in = std::chrono::seconds(4);
  report.outcomes[1].again_in = std::chrono::seconds(2);

  EXPECT_EQ(report.again_in(), std::chrono::seconds(2));
}

}  // namespace
}  // namespace kubecni::test
