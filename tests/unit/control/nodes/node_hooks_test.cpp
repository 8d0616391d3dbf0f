#include "control/nodes/node_hooks.hpp"

#include <gtest/gtest.h>

namespace kubecni::test {
namespace {

const std::map<std::string, Device> kWires{{"eth0", {2, "eth0"}}, {"eth1", {3, "eth1"}}};

TEST(NodeHooks, AWireWithoutProgramsGetsThem) {
  const auto changes =
      plan_node_hooks(kWires, true, {.attached = {"eth0"}, .held = {}, .tunnel = {}});

  ASSERT_EQ(changes.attach_wires.size(), 1u);
  EXPECT_EQ(changes.attach_wires[0].name, "eth1");
  EXPECT_FALSE(changes.attach_tunnel) << "there is none";
}

TEST(NodeHooks, ADeviceThatIsNoWireAnyMoreLosesThem) {
  const auto changes =
      plan_node_hooks({}, true, {.attached = {}, .held = {Device{4, "eth2"}}, .tunnel = {}});

  ASSERT_EQ(changes.detach_wires.size(), 1u);
  EXPECT_EQ(changes.detach_wires[0].name, "eth2");
}

TEST(NodeHooks, TheTunnelHasProgramsWhileEbpfLeadsToNodes) {
  const NodeHooks bare{.attached = {}, .held = {}, .tunnel = Device{9, "kcni.vxlan"}};

  EXPECT_TRUE(plan_node_hooks({}, true, bare).attach_tunnel);
  EXPECT_FALSE(plan_node_hooks({}, true, bare).detach_tunnel);
  EXPECT_FALSE(plan_node_hooks({}, false, bare).attach_tunnel);
  EXPECT_TRUE(plan_node_hooks({}, false, bare).detach_tunnel);
}

}  // namespace
}  // namespace kubecni::test
