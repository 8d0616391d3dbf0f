// DEL succeeds whatever is left, and leaves nothing.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

#include <filesystem>

namespace kubecni::test {
namespace {

namespace fs = std::filesystem;

class Del : public testing::Test {
 protected:
  /// DEL of `pod` with what a runtime knows after the namespace is gone.
  CniAnswer del_without_netns() {
    CniCall call = node.call_for("DEL", pod);
    for (auto& variable : call.env)
      if (variable.starts_with("CNI_NETNS=")) variable = "CNI_NETNS=";
    return node.call(call);
  }

  void expect_nothing_left() {
    EXPECT_THAT(node.must_run({"ip", "-br", "link"}), testing::Not(testing::HasSubstr("veth")));
    EXPECT_THAT(state_of(node, {}, false),
                testing::AllOf(testing::Not(testing::HasSubstr("/ipam/")),
                               testing::Not(testing::HasSubstr("/attachments/")),
                               testing::Not(testing::HasSubstr("/links/")),
                               testing::Not(testing::HasSubstr("\nendpoint ")),
                               testing::Not(testing::HasSubstr("\npod_iface "))));
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod = node.add_pod("pod");
};

TEST_F(Del, TwiceSucceedsTwice) {
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  expect_nothing_left();
  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  expect_nothing_left();
}

TEST_F(Del, WithoutNetns) {
  EXPECT_TRUE(ok(del_without_netns()));
  expect_nothing_left();
}

TEST_F(Del, AfterTheNamespaceIsGone) {
  pod.netns.remove();
  // The kernel removes the veth some time later.
  ASSERT_TRUE(eventually(
      [&] { return node.must_run({"ip", "-br", "link"}).find("veth") == std::string::npos; }));

  EXPECT_TRUE(ok(del_without_netns()));
  expect_nothing_left();
}

TEST_F(Del, WithTheNamespaceStillVanishing) {
  pod.netns.remove();

  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  expect_nothing_left();
}

TEST_F(Del, WithoutStateFolder) {
  fs::remove_all(node.state_dir());

  EXPECT_TRUE(ok(node.cni("DEL", pod)));

  expect_nothing_left();
}

TEST_F(Del, WithoutBpffsFolder) {
  fs::remove_all(node.bpffs());

  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  expect_nothing_left();
}

TEST_F(Del, WithDamagedRecords) {
  for (const char* folder : {"ipam/pods/by-owner", "ipam/pods/by-address", "attachments/pods"})
    for (const auto& entry : fs::directory_iterator(node.state_dir() / folder))
      fs::resize_file(entry.path(), 10);

  EXPECT_TRUE(ok(node.cni("DEL", pod)));
  expect_nothing_left();
}

TEST_F(Del, UnknownPodSucceeds) {
  const Pod other("other");
  const auto before = state_of(node, {&pod, &other});

  EXPECT_TRUE(ok(node.cni("DEL", other)));

  EXPECT_EQ(state_of(node, {&pod, &other}), before);
}

TEST_F(Del, LeavesOtherPodsReachable) {
  const Pod one = node.add_pod("one");
  const Pod two = node.add_pod("two");

  EXPECT_TRUE(ok(node.cni("DEL", pod)));

  EXPECT_TRUE(ok(tcp_transfer(one.netns, two.netns, two.address)));
}

TEST_F(Del, ThenAddOfTheSameContainerWorks) {
  ASSERT_TRUE(ok(node.cni("DEL", pod)));

  ASSERT_TRUE(ok(node.cni("ADD", pod)));

  EXPECT_TRUE(ok(ping(pod.netns, node.gateway())));
}

}  // namespace
}  // namespace kubecni::test
