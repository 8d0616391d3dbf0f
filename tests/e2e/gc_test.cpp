// GC removes what the runtime does not list. Other leftovers of dead pods are found when somebody
// needs the room.

#include "expect.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "support/node_state.hpp"

#include <filesystem>

namespace kubecni::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json attachment_of(const Pod& pod) {
  return {{"containerID", pod.container_id}, {"ifname", pod.ifname}};
}

class Gc : public testing::Test {
 protected:
  CniAnswer gc(const json& changes) { return node.cni("GC", kept, changes); }
  [[nodiscard]] std::string state() const { return state_of(node, {&kept}, false); }
  /// Except for lines of the remaining pod, nothing of pods may be left.
  void expect_only_kept() {
    EXPECT_TRUE(eventually([&] { return state() == with_kept_alone; })) << state();
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod kept = node.add_pod("kept");
  std::string with_kept_alone = state();
  Pod gone = node.add_pod("gone");
};

TEST_F(Gc, RemovesWhatIsNotListedAndLeavesTheRestAsItIs) {
  EXPECT_TRUE(ok(gc({{"cni.dev/valid-attachments", {attachment_of(kept)}}})));

  expect_only_kept();
}

TEST_F(Gc, WithoutAListChangesNothing) {
  const std::string before = state();

  const auto answer = gc({});

  EXPECT_TRUE(ok(answer));
  EXPECT_THAT(answer.err, HasSubstr("changes nothing"));
  EXPECT_EQ(state(), before);
}

TEST_F(Gc, WithTheOldWrongKeyAloneChangesNothing) {
  const std::string before = state();

  EXPECT_TRUE(ok(gc({{"cni.dev/attachments", json::array()}})));

  EXPECT_EQ(state(), before);
}

class GcOfAll : public Gc, public testing::WithParamInterface<json> {};

TEST_P(GcOfAll, WithAnEmptyListCleansAll) {
  CniCall call = node.call_for("GC", kept);
  json conf = json::parse(call.input);
  conf["cni.dev/valid-attachments"] = GetParam();
  call.input = conf.dump();

  EXPECT_TRUE(ok(node.call(call)));

  EXPECT_THAT(node.must_run({"ip", "-br", "link"}), testing::Not(HasSubstr("veth")));
  EXPECT_THAT(state_of(node, {}, false), testing::AllOf(testing::Not(HasSubstr("/by-owner/")),
                                                        testing::Not(HasSubstr("/attachments/")),
                                                        testing::Not(HasSubstr("\nendpoint "))));
}

INSTANTIATE_TEST_SUITE_P(Empty, GcOfAll, testing::Values(json(), json::array()),
                         [](const auto& tested) {
                           return tested.param.is_null() ? "null" : "array";
                         });

TEST_F(Gc, WithAMalformedListChangesNothing) {
  const std::string before = state();

  for (const json& list : {json("x"), json::array({1}), json::array({{{"containerID", "kept"}}})})
    EXPECT_TRUE(failed(gc({{"cni.dev/valid-attachments", list}}), 7, "valid-attachments"));

  EXPECT_EQ(state(), before);
}

TEST_F(Gc, GoesOnAfterADamagedRecord) {
  std::filesystem::resize_file(node.state_dir() / "attachments/pods/gone:eth0", 3);

  EXPECT_TRUE(ok(gc({{"cni.dev/valid-attachments", {attachment_of(kept)}}})));

  expect_only_kept();
}

TEST(Reclaim, AFullPoolTakesBackTheAddressesOfPodsThatAreGoneAndOnlyThose) {
  const Node node("node", "10.200.0.0/29", "ebpf");  // five addresses for pods
  const Pod alive = node.add_pod("alive");
  for (const char* name : {"p1", "p2", "p3", "p4"}) {
    Pod pod = node.add_pod(name);
    pod.netns.remove();
  }
  ASSERT_TRUE(eventually([&] {
    const auto links = must(list_links(
        *std::make_unique<NetlinkSocket>(must(NetlinkSocket::open_in(node.netns.fd())))));
    return std::ranges::count(links, "veth", &Link::kind) == 1;
  }));

  const Pod next = node.add_pod("next");

  EXPECT_NE(next.address, alive.address);
  EXPECT_TRUE(ok(node.cni("STATUS", next)));
  const auto state = state_of(node, {}, false);
  EXPECT_THAT(state, testing::Not(HasSubstr("p1:eth0")));
  EXPECT_THAT(state,
              testing::AllOf(HasSubstr("by-owner/alive:eth0"), HasSubstr("by-owner/next:eth0")));
}

TEST(Reclaim, ARequestedAddressIsTakenBackFromAPodThatIsGone) {
  const Node node("node", "10.200.0.0/24", "ebpf");
  const json request{{"runtimeConfig", {{"ips", {"10.200.0.9"}}}}};
  Pod gone = node.add_pod("gone", request);
  const Pod next("next");
  ASSERT_TRUE(failed(node.cni("ADD", next, request), 11, "in use"));

  gone.netns.remove();

  EXPECT_TRUE(eventually([&] { return node.cni("ADD", next, request).status == 0; }));
}

TEST(Reclaim, AFullPoolOfLivingPodsStaysFull) {
  const Node node("node", "10.200.0.0/30", "ebpf");
  const Pod alive = node.add_pod("alive");
  const Pod next("next");

  EXPECT_TRUE(failed(node.cni("ADD", next), 11, "1 of 1"));

  EXPECT_TRUE(ok(node.cni("DEL", alive)));
  EXPECT_TRUE(ok(node.cni("ADD", next)));
}

}  // namespace
}  // namespace kubecni::test
