#include "k8s/node_status.hpp"

#include "test_api_server/make_node.hpp"

#include <gtest/gtest.h>

namespace kubecni {
namespace {

using nlohmann::json;

constexpr const char* kBefore = "2026-01-01T00:00:00Z";
constexpr const char* kNow = "2026-01-02T00:00:00Z";
const NodeReadiness kReady{};
const NodeReadiness kKernelPath{.why_not_ready = "", .kernel_path_reason = "no bpf(2)"};
const NodeReadiness kFull{
    .why_not_ready = "", .kernel_path_reason = "", .no_address = "10.1.0.0/24: 254 of 254"};
const NodeReadiness kNotReady{.why_not_ready = "no PodCIDR", .kernel_path_reason = ""};

/// n1, with this condition unless it is null.
json node(const json& condition = {}) {
  json object = test::make_node("n1", "192.0.2.1", "10.1.0.0/24");
  object["metadata"]["uid"] = "uid-1";
  object["metadata"]["resourceVersion"] = "17";
  object["status"]["conditions"] = {{{"type", "Ready"}, {"status", "True"}}};
  if (!condition.is_null()) object["status"]["conditions"].push_back(condition);
  return object;
}

NodeStatusPlan plan(const json& object, const NodeReadiness& wanted, bool may_take_back = false,
                    const std::string& now = kNow) {
  return plan_node_status(object, wanted, "", may_take_back, now);
}

json condition_of(const NodeStatusPlan& planned) {
  return planned.status.at("status").at("conditions").at(0);
}

/// The condition after somebody wrote that the node is `readiness`.
json written(const NodeReadiness& readiness, const std::string& now = kBefore) {
  return condition_of(plan(node(), readiness, true, now));
}

TEST(NodeStatus, AReadyNodeSaysThatTheNetworkIsThere) {
  const auto planned = plan(node(), kReady);

  EXPECT_EQ(planned.status, (json{{"status",
                                   {{"conditions",
                                     {{{"type", "NetworkUnavailable"},
                                       {"status", "False"},
                                       {"reason", "KubeCniReady"},
                                       {"message", "Pods have a network"},
                                       {"lastTransitionTime", kNow},
                                       {"lastHeartbeatTime", kNow}}}}}}}));
  EXPECT_TRUE(planned.events.empty());
  EXPECT_TRUE(planned.taints.is_null());
}

TEST(NodeStatus, NothingIsRepeated) {
  for (const NodeReadiness& readiness : {kReady, kKernelPath, kNotReady}) {
    const auto planned = plan(node(written(readiness)), readiness, true);

    EXPECT_TRUE(planned.status.is_null()) << planned.status;
    EXPECT_TRUE(planned.events.empty());
  }
}

TEST(NodeStatus, ANodeThatNeverCouldTakePodsSaysSoAtOnce) {
  const auto condition = condition_of(plan(node(), kNotReady));

  EXPECT_EQ(condition["status"], "True");
  EXPECT_EQ(condition["reason"], "KubeCniNotReady");
  EXPECT_EQ(condition["message"], "no PodCIDR");
}

TEST(NodeStatus, ANodeThatCouldTakePodsSaysSoUntilItMayTakeItBack) {
  const json ready = node(written(kReady));

  EXPECT_TRUE(plan(ready, kNotReady, false).status.is_null());
  EXPECT_EQ(condition_of(plan(ready, kNotReady, true))["status"], "True");
}

TEST(NodeStatus, TheTransitionTimeChangesWithTheStatusAlone) {
  const auto same = condition_of(plan(node(written(kReady)), kKernelPath));
  const auto other = condition_of(plan(node(written(kNotReady)), kReady));

  EXPECT_EQ(same["lastTransitionTime"], kBefore);
  EXPECT_EQ(same["lastHeartbeatTime"], kNow);
  EXPECT_EQ(other["lastTransitionTime"], kNow);
}

TEST(NodeStatus, TheKernelPathIsAWarningWithItsReason) {
  const auto planned = plan(node(), kKernelPath);

  EXPECT_EQ(condition_of(planned)["status"], "False");
  EXPECT_EQ(planned.events.at(0)["type"], "Warning");
  EXPECT_EQ(planned.events.at(0)["reason"], "KernelPathOnly");
  EXPECT_EQ(planned.events.at(0)["message"], "Pods have a network, without eBPF: no bpf(2)");
  EXPECT_EQ(planned.events.at(0)["involvedObject"],
            (json{{"kind", "Node"}, {"apiVersion", "v1"}, {"name", "n1"}, {"uid", "uid-1"}}));
}

TEST(NodeStatus, EbpfIsNewsOnlyAfterTheKernelPath) {
  EXPECT_EQ(plan(node(written(kKernelPath)), kReady).events.at(0)["reason"], "EbpfInUse");
  EXPECT_TRUE(plan(node(), kReady).events.empty());
  EXPECT_TRUE(plan(node(written(kNotReady)), kReady).events.empty());
}

TEST(NodeStatus, AnEventHasOneNameForOneChange) {
  const auto name = [](const NodeStatusPlan& planned) {
    return planned.events.at(0)["metadata"]["name"];
  };
  const auto first = plan(node(written(kReady)), kKernelPath);

  EXPECT_EQ(name(first), name(plan(node(written(kReady)), kKernelPath, false, "later")));
  EXPECT_NE(name(first), name(plan(node(written(kReady, "later")), kKernelPath)));
  EXPECT_NE(name(first),
            name(plan(node(written(kReady)), {.why_not_ready = "", .kernel_path_reason = "x"})));
}

TEST(NodeStatus, AnEventOfALongNodeNameHasANameAllTheSame) {
  json object = node();
  object["metadata"]["name"] = std::string(253, 'n');

  EXPECT_EQ(plan(object, kKernelPath).events.at(0)["metadata"]["name"].get<std::string>().size(),
            253u);
}

TEST(NodeStatus, AFullSubnetIsAConditionOfItsOwnAndAWarning) {
  const auto planned = plan(node(written(kReady)), kFull);

  EXPECT_EQ(condition_of(planned), (json{{"type", "PodAddressesExhausted"},
                                         {"status", "True"},
                                         {"reason", "KubeCniNoFreeAddress"},
                                         {"message", "10.1.0.0/24: 254 of 254"},
                                         {"lastTransitionTime", kNow},
                                         {"lastHeartbeatTime", kNow}}));
  ASSERT_EQ(planned.events.size(), 1u);
  EXPECT_EQ(planned.events[0]["reason"], "NoFreeAddress");
  EXPECT_EQ(planned.events[0]["type"], "Warning");
  EXPECT_EQ(planned.events[0]["message"], "10.1.0.0/24: 254 of 254");
}

TEST(NodeStatus, PodsThatAreNotReachedAreAConditionOfTheirOwnAndAWarning) {
  const std::string text = "Pods do not reach those of n2. n2: probably a firewall";
  NodeReadiness wanted = kReady;
  wanted.not_reached = text;
  json broken = node(written(kReady));

  const auto planned = plan(broken, wanted);

  EXPECT_EQ(condition_of(planned)["type"], "PodPathsBroken");
  EXPECT_EQ(condition_of(planned)["status"], "True");
  EXPECT_EQ(planned.events.at(0)["reason"], "PodsNotReached");
  EXPECT_EQ(planned.events.at(0)["message"], text);
  broken["status"]["conditions"].push_back(condition_of(planned));
  EXPECT_TRUE(plan(broken, wanted).status.is_null());
  EXPECT_EQ(plan(broken, kReady).events.at(0)["reason"], "PodsReached");
}

TEST(NodeStatus, APolicyThatIsNotUnderstoodIsAConditionOfItsOwnAndAWarning) {
  NodeReadiness wanted = kReady;
  wanted.broken_policy = "The network policy a/b closes a/pod: no such operator";
  json broken = node(written(kReady));

  const auto planned = plan(broken, wanted);

  EXPECT_EQ(condition_of(planned)["type"], "NetworkPolicyBroken");
  EXPECT_EQ(condition_of(planned)["status"], "True");
  EXPECT_EQ(planned.events.at(0)["reason"], "PolicyNotEnforced");
  EXPECT_EQ(planned.events.at(0)["message"], wanted.broken_policy);
  broken["status"]["conditions"].push_back(condition_of(planned));
  EXPECT_TRUE(plan(broken, wanted).status.is_null());
  EXPECT_EQ(plan(broken, kReady).events.at(0)["reason"], "PoliciesEnforced");
}

TEST(NodeStatus, ASubnetThatIsFullNoMoreSaysSoOnce) {
  json was_full = node(written(kReady));
  was_full["status"]["conditions"].push_back(condition_of(plan(was_full, kFull)));
  const auto planned = plan(was_full, kReady);
  json is_free = node(written(kReady));
  is_free["status"]["conditions"].push_back(condition_of(planned));

  EXPECT_TRUE(plan(was_full, kFull).status.is_null());
  EXPECT_EQ(condition_of(planned)["status"], "False");
  EXPECT_EQ(planned.events.at(0)["reason"], "AddressFree");
  EXPECT_TRUE(plan(is_free, kReady).status.is_null());
}

TEST(NodeStatus, OnlyTheStartUpTaintIsRemovedAndOnlyFromTheSameVersion) {
  json object = node(written(kReady));
  object["spec"]["taints"] = {{{"key", "a"}, {"effect", "NoSchedule"}},
                              {{"key", "start"}, {"effect", "NoSchedule"}},
                              {{"key", "start"}, {"effect", "NoExecute"}},
                              {{"key", "start2"}, {"effect", "NoSchedule"}}};

  const auto planned = plan_node_status(object, kReady, "start", false, kNow);

  EXPECT_EQ(planned.taints, (json{{"metadata", {{"resourceVersion", "17"}}},
                                  {"spec",
                                   {{"taints",
                                     {{{"key", "a"}, {"effect", "NoSchedule"}},
                                      {{"key", "start2"}, {"effect", "NoSchedule"}}}}}}}));
  EXPECT_TRUE(plan_node_status(object, kNotReady, "start", false, kNow).taints.is_null());
  EXPECT_TRUE(plan_node_status(object, kReady, "", false, kNow).taints.is_null());
  EXPECT_TRUE(plan_node_status(object, kReady, "other", false, kNow).taints.is_null());
}

TEST(NodeStatus, ForeignAndMalformedNodesDoNoHarm) {
  for (const char* text : {"null", "7", "[]", "{}", R"({"status":7,"spec":7,"metadata":7})",
                           R"({"status":{"conditions":[7,{"type":7}]},"spec":{"taints":[7]}})",
                           R"({"status":{"conditions":[{"type":"NetworkUnavailable",
                              "status":7,"lastTransitionTime":{}}]}})"}) {
    const auto planned = plan_node_status(json::parse(text), kKernelPath, "start", true, kNow);

    EXPECT_EQ(condition_of(planned)["lastTransitionTime"], kNow) << text;
  }
}

}  // namespace
}  // namespace kubecni
