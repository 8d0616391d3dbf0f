// What a runtime asks for one pod: its address and its MAC.

#include "expect.hpp"
#include "support/node_state.hpp"
#include "support/traffic.hpp"

namespace kubecni::test {
namespace {

using nlohmann::json;

class Requests : public testing::Test {
 protected:
  /// ADD with `cni_args` as CNI_ARGS.
  CniAnswer add(const json& changes, const std::string& cni_args = "") {
    CniCall call = node.call_for("ADD", pod, changes);
    std::erase_if(call.env, [](const auto& entry) { return entry.starts_with("CNI_ARGS="); });
    call.env.push_back("CNI_ARGS=" + cni_args);
    return node.call(call);
  }

  Node node{"node", "10.200.0.0/24", "ebpf"};
  Pod pod{"pod"};
};

struct Place {
  const char* name;
  json changes;
  const char* args;
};
class AddressPlaces : public Requests, public testing::WithParamInterface<Place> {};

TEST_P(AddressPlaces, AreHeeded) {
  const auto answer = add(GetParam().changes, GetParam().args);

  ASSERT_TRUE(ok(answer));
  EXPECT_EQ(answer.json["ips"][0]["address"], "10.200.0.77/24");
}

INSTANTIATE_TEST_SUITE_P(
    Requests, AddressPlaces,
    testing::Values(
        Place{"RuntimeConfig", {{"runtimeConfig", {{"ips", {"10.200.0.77/24"}}}}}, ""},
        Place{"RuntimeConfigWithoutPrefix", {{"runtimeConfig", {{"ips", {"10.200.0.77"}}}}}, ""},
        Place{"Args", {{"args", {{"cni", {{"ips", {"10.200.0.77"}}}}}}}, "IP=10.200.0.99"},
        Place{"CniArgs", json::object(), "IgnoreUnknown=1;IP=10.200.0.77"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Requests, APodWithARequestedMacIsReachedOverEbpf) {
  ASSERT_TRUE(ok(add({{"runtimeConfig", {{"mac", "02:11:22:33:44:55"}}}})));
  pod.address = node.attachment(pod).port.addresses.front().net.addr;
  const Pod other = node.add_pod("other");
  const auto before = node.counters();

  EXPECT_TRUE(ok(tcp_transfer(other.netns, pod.netns, pod.address, 1 << 20)));

  EXPECT_GT(grown(before, node.counters(), KUBECNI_FAST_TO_LOCAL_POD), 0u);
  EXPECT_EQ(grown(before, node.counters(), KUBECNI_KERNEL_TO_POD), 0u);
  EXPECT_THAT(Node::must_run_in(pod.netns, {"ip", "link", "show", "eth0"}),
              testing::HasSubstr("02:11:22:33:44:55"));
}

TEST_F(Requests, ThatCannotBeGrantedChangeNothing) {
  const Pod holder = node.add_pod("holder");
  const std::string before = state_of(node, {&pod}, false);
  const auto ips = [](const json& list) { return json{{"runtimeConfig", {{"ips", list}}}}; };

  EXPECT_TRUE(failed(add(ips({holder.address.str()})), 11, "in use"));
  EXPECT_TRUE(failed(add(ips({"10.200.0.1"})), 7, "10.200.0.1"));  // the gateway
  EXPECT_TRUE(failed(add(ips({"10.201.0.5"})), 7, "10.201.0.5"));
  EXPECT_TRUE(failed(add(ips({"x"})), 7, "is none"));
  EXPECT_TRUE(failed(add(ips({7})), 7, "7"));
  EXPECT_TRUE(failed(add(ips({"10.200.0.5", "10.200.0.6"})), 7, "a pod gets one of these"));
  EXPECT_TRUE(failed(add({}, "MAC=ff:ff:ff:ff:ff:ff"), 7, "ff:ff"));
  EXPECT_TRUE(failed(add({}, "MAC=garbage"), 7, "garbage"));

  EXPECT_EQ(state_of(node, {&pod}, false), before);
}

}  // namespace
}  // namespace kubecni::test
