// A failed ADD leaves the host as it was.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class AddFailure : public testing::Test {
 protected:
  /// On a node that has a pod already: what all pods share stays.
  void expect_failure(const Node& node, const json& changes, unsigned code,
                      const std::string& phrase) {
    const auto before = state_of(node, {&pod}, false);

    const auto answer = node.cni("ADD", pod, changes);

    EXPECT_TRUE(failed(answer, code, phrase));
    EXPECT_EQ(state_of(node, {&pod}, false), before);
  }

  Pod pod{"pod"};
};

class AddFailureOnAUsedNode : public AddFailure {
 protected:
  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod first = node.add_pod("first");
};

TEST_F(AddFailureOnAUsedNode, InterfaceNameIsTaken) {
  Node::must_run_in(pod.netns, {"ip", "link", "add", "eth0", "type", "bridge"});

  expect_failure(node, {}, 4, "eth0 exists already");
}

TEST_F(AddFailureOnAUsedNode, BridgeNameIsTakenByAnother) {
  node.must_run({"ip", "link", "add", "taken0", "type", "veth", "peer", "taken1"});

  expect_failure(node, {{"bridge", "taken0"}}, 101, "taken0 exists and is not a bridge");
}

TEST_F(AddFailureOnAUsedNode, BpffsIsAnotherFileSystem) {
  expect_failure(node, {{"bpffs", "/run/no-bpffs"}}, 101, "/run/no-bpffs/v6/maps is not on a bpf");
}

TEST_F(AddFailureOnAUsedNode, EndpointMapIsFull) {
  auto dataplane = node.dataplane();
  for (std::uint32_t i = 0; i + 1 < KUBECNI_MAX_ENDPOINTS; ++i)
    must(dataplane.pods.endpoints.endpoints().set({1, IpAddr::v4({192, 0, 2, 0}).plus(i)}, {}));

  expect_failure(node, {}, 101, "endpoints4");
}

TEST_F(AddFailureOnAUsedNode, SameContainerTwice) {
  Pod again("again");
  again.container_id = first.container_id;
  const auto before = state_of(node, {&first, &again}, false);

  EXPECT_TRUE(failed(node.cni("ADD", again), 101, "already has an address"));

  EXPECT_EQ(state_of(node, {&first, &again}, false), before);
  EXPECT_TRUE(ok(ping(first.netns, node.gateway())));
}

TEST_F(AddFailureOnAUsedNode, PrevResultIsNoResult) {
  expect_failure(node, {{"prevResult", {{"ips", {{{"address", "x"}}}}}}}, 7, "prevResult");
}

TEST_F(AddFailure, SubnetIsFull) {
  const Node node("node", "10.200.0.0/30", "ebpf");
  const Pod first = node.add_pod("first");

  expect_failure(node, {}, 11, "no free address in 10.200.0.0/30: 1 of 1 are in use");
}

TEST_F(AddFailure, AFreedAddressOfAFullSubnetIsGivenAgain) {
  const Node node("node", "10.200.0.0/30", "ebpf");
  const Pod first = node.add_pod("first");
  ASSERT_FALSE(ok(node.cni("ADD", pod)));
  ASSERT_TRUE(ok(node.cni("DEL", first)));

  EXPECT_TRUE(ok(node.cni("ADD", pod)));
}

}  // namespace
}  // namespace kubecni::test
