#include "control/pods/former_cidrs.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Attachment pod(const std::string& net_text, const std::string& gateway) {
  Attachment attachment;
  attachment.pod = "default/web";
  attachment.port.bridge = "cni0";
  attachment.port.addresses = {{net(net_text), addr(gateway)}};
  return attachment;
}

/// This node had 10.200.1.0/24, and has 10.200.9.0/24 now; the old one is n2's.
ClusterView moved_view() {
  return view_cluster(
      {{node("n1", "192.0.2.1", "10.200.9.0/24"), node("n2", "192.0.2.2", "10.200.1.0/24")}, {}},
      "n1", {});
}

TEST(FormerCidrs, AreNoneWhereAllIsOfThisNodesPodCidr) {
  const auto former = plan_former_cidrs(moved_view(), "cni0", {net("10.200.9.1/24")},
                                        {pod("10.200.9.2/24", "10.200.9.1")});

  EXPECT_THAT(former.gateways, IsEmpty());
  EXPECT_THAT(former.pods, IsEmpty());
}

TEST(FormerCidrs, GiveUpTheGatewayOfAnotherNodesPods) {
  const auto former =
      plan_former_cidrs(moved_view(), "cni0", {net("10.200.1.1/24"), net("10.200.9.1/24")}, {});

  EXPECT_THAT(former.gateways, ElementsAre(net("10.200.1.1/24")));
}

TEST(FormerCidrs, KeepTheGatewayOfAPodThatIsThereStillAndNameThePod) {
  const auto former = plan_former_cidrs(moved_view(), "cni0", {net("10.200.1.1/24")},
                                        {pod("10.200.1.2/24", "10.200.1.1")});

  EXPECT_THAT(former.gateways, IsEmpty());
  EXPECT_THAT(former.pods,
              ElementsAre("pod default/web 10.200.1.2/24: 10.200.1.2 is of no PodCIDR of this "
                          "node, but of node n2; other nodes do not reach it; delete the pod, so "
                          "that it is made anew"));
}

TEST(FormerCidrs, LeaveAddressesOfNobodyOnTheBridge) {
  const auto former = plan_former_cidrs(moved_view(), "cni0", {net("198.51.100.1/24")}, {});

  EXPECT_THAT(former.gateways, IsEmpty());
}

TEST(FormerCidrs, LeavePodsAloneWhoseGatewayIsElsewhere) {
  auto attachment = pod("198.51.100.7/24", "198.51.100.1");
  attachment.port.owns_gateways = false;

  EXPECT_THAT(plan_former_cidrs(moved_view(), "cni0", {}, {attachment}).pods, IsEmpty());
}

TEST(FormerCidrs, LeavePodsOfAnotherNetworkAlone) {
  auto attachment = pod("198.51.100.7/24", "198.51.100.1");
  attachment.port.bridge = "cni1";

  EXPECT_THAT(plan_former_cidrs(moved_view(), "cni0", {}, {attachment}).pods, IsEmpty());
}

TEST(FormerCidrs, AreNotKnownBeforeThisNodeIs) {
  auto view = moved_view();
  view.self.reset();

  const auto former =
      plan_former_cidrs(view, "cni0", {net("10.200.1.1/24")}, {pod("10.200.1.2/24", "10.200.1.1")});

  EXPECT_THAT(former.gateways, IsEmpty());
  EXPECT_THAT(former.pods, IsEmpty());
}

}  // namespace
}  // namespace kubecni::test
