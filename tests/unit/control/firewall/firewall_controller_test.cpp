#include "control/firewall/firewall_controller.hpp"

#include "support/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

using testing::UnorderedElementsAre;

TEST(FirewallController, EveryAddressOfAPeerMaySendThroughTheTunnel) {
  auto view =
      view_of({dual_node("n2", "192.0.2.2", "10.200.2.0/24", "2001:db8::2", "fd00:2::/64")});
  view.owners = {{net("10.200.1.0/24"), "n1"}, {net("10.200.2.0/24"), "n2"}};
  DaemonOptions options;
  options.tunnel.port = 4789;

  const auto spec = plan_firewall(view, options, {.guards_tunnel = true});

  EXPECT_THAT(spec.tunnel_peers, UnorderedElementsAre(addr("192.0.2.2"), addr("2001:db8::2")));
  EXPECT_THAT(spec.cluster_pods, UnorderedElementsAre(net("10.200.1.0/24"), net("10.200.2.0/24")));
  EXPECT_TRUE(spec.guards_tunnel);
  EXPECT_EQ(spec.tunnel.port, 4789);
  EXPECT_FALSE(plan_firewall(view, options, {}).guards_tunnel);
}

}  // namespace
}  // namespace kubecni::test
