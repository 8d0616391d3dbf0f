#include "control/policy/policy_controller.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

Attachment attachment(const std::string& pod, const std::string& address) {
  Attachment made;
  made.pod = pod;
  made.port.addresses = {{.net = {addr(address), 24}, .gateway = {}}};
  return made;
}

TEST(PolicyController, TakesThePodsFromTheRecords) {
  EXPECT_EQ(local_pods({attachment("b/c", "10.0.0.2"), attachment("a/b", "10.0.0.1")}),
            (std::vector<LocalPod>{{"a/b", {addr("10.0.0.1")}}, {"b/c", {addr("10.0.0.2")}}}));
}

TEST(PolicyController, APodThatIsNotKnownIsClosedWhateverItsAddress) {
  const auto spec = plan_policies({}, {{"a/b", {addr("10.0.0.1")}}, {"a/c", {addr("192.0.2.1")}}},
                                  {.pods = {net("10.0.0.0/24")}, .not_pods = {}});

  EXPECT_TRUE(spec.policy.subjects.empty());
  EXPECT_THAT(spec.closed, testing::ElementsAre(addr("192.0.2.1")))
      << "the other one is in the node's network";
}

}  // namespace
}  // namespace kubecni::test
