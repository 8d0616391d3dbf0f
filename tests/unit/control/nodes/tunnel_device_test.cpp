#include "control/nodes/tunnel_device.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

TEST(TunnelDevicePlan, HasTheMacOfTheFirstAddressAndRoomForTheOverhead) {
  const auto spec = plan_tunnel_device(view_of({}), underlay().uplinks, 4789);

  ASSERT_TRUE(spec) << spec.error();
  EXPECT_EQ(spec->name, "kcni.vxlan");
  EXPECT_EQ(spec->mac.str(), "0a:58:c0:00:02:01");
  EXPECT_EQ(spec->port, 4789);
  EXPECT_EQ(spec->mtu, 1350u);
}

TEST(TunnelDevicePlan, OverIpv6LeavesMoreRoom) {
  ClusterView view = view_of({});
  view.self->internal_ips = {addr("2001:db8:1::1")};

  EXPECT_EQ(plan_tunnel_device(view, {uplink(2, "eth0", "2001:db8:1::1/64", 1500)}, 8472)->mtu,
            1430u);
}

TEST(TunnelDevicePlan, NeedsToKnowThisNode) {
  ClusterView view = view_of({});
  view.self.reset();

  const auto spec = plan_tunnel_device(view, underlay().uplinks, 8472);

  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error(), testing::HasSubstr("this node"));
}

TEST(UnderlayMtu, IsThatOfTheDevicesWithAnAddressOfThisNode) {
  EXPECT_EQ(underlay_mtu(view_of({}), underlay().uplinks), 1400u);
  EXPECT_EQ(underlay_mtu(view_of({}), {}), 1500u);
}

}  // namespace
}  // namespace kubecni::test
