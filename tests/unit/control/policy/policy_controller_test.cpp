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
  made.port.pod_mac = MacAddr::parse("00:00:5e:00:53:0a").value();
  return made;
}

TEST(PolicyController, TakesThePodsFromTheRecordsWithTheirLinkLocalAddresses) {
  const IpAddr link_local = addr("fe80::200:5eff:fe00:530a");

  EXPECT_EQ(local_pods({attachment("b/c", "10.0.0.2"), attachment("a/b", "10.0.0.1")}),
            (std::vector<LocalPod>{{"a/b", {addr("10.0.0.1"), link_local}},
                                   {"b/c", {addr("10.0.0.2"), link_local}}}));
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
