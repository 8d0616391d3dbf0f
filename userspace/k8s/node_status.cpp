#include "k8s/node_status.hpp"

#include "base/fnv.hpp"
#include "base/json.hpp"
#include "k8s/object_fields.hpp"

#include <cstdint>
#include <cstdio>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxNodeNameInEvent = 253 - 1 - 16;  // of a DNS subdomain
constexpr std::size_t kMaxEventMessage = 1024;
constexpr const char* kReady = "KubeCniReady";
constexpr const char* kKernelPathOnly = "KubeCniKernelPathOnly";
constexpr const char* kNotReady = "KubeCniNotReady";

constexpr const char* kNetwork = "NetworkUnavailable";

/// A condition of its own, which a node has only once it was true, with an Event for each change.
struct Trouble {
  const char* condition;
  const char* reason;       ///< of the condition while it is true
  const char* over_reason;  ///< afterwards
  const char* event;        ///< the reasons of the Events
  const char* over_event;
  const char* over_message;
};
constexpr Trouble kNoAddress{"PodAddressesExhausted", "KubeCniNoFreeAddress",
                             "KubeCniAddressFree",    "NoFreeAddress",
                             "AddressFree",           "Addresses are free for pods"};
constexpr Trouble kNotReached{"PodPathsBroken",     "KubeCniPodsNotReached",
                              "KubeCniPodsReached", "PodsNotReached",
                              "PodsReached",        "Pods reach those of other nodes"};
constexpr Trouble kBrokenPolicy{
    "NetworkPolicyBroken",     "KubeCniPolicyNotEnforced",
    "KubeCniPoliciesEnforced", "PolicyNotEnforced",
    "PoliciesEnforced",        "No network policy closes pods since it cannot be enforced"};

/// The node's condition as it is; null: it has none.
json present_condition(const json& node, const char* type) {
  for (const json& condition : member(member(node, "status"), "conditions"))
    if (text_of(member(condition, "type")) == type) return condition;
  return {};
}

json condition_of(const char* type, bool status, const char* reason, std::string message) {
  return {{"type", type},
          {"status", status ? "True" : "False"},
          {"reason", reason},
          {"message", std::move(message)}};
}

json wanted_network(const NodeReadiness& wanted) {
  if (!wanted.why_not_ready.empty())
    return condition_of(kNetwork, true, kNotReady, wanted.why_not_ready);
  if (!wanted.kernel_path_reason.empty())
    return condition_of(kNetwork, false, kKernelPathOnly,
                        "Pods have a network, without eBPF: " + wanted.kernel_path_reason);
  return condition_of(kNetwork, false, kReady, "Pods have a network");
}

bool says_the_same(const json& a, const json& b) {
  for (const char* key : {"status", "reason", "message"})
    if (member(a, key) != member(b, key)) return false;
  return true;
}

std::string digest(std::string_view text) {
  const auto hash = fnv1a<std::uint64_t>(text);
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

/// `before` is the condition that changes.
json make_event(const json& node, bool is_warning, const char* reason, const std::string& message,
                const json& before, const std::string& now) {
  const std::string name = metadata_text(node, "name");
  const std::string about =
      text_of(member(before, "lastHeartbeatTime")) + '\n' + reason + '\n' + message;
  return {{"kind", "Event"},
          {"apiVersion", "v1"},
          {"metadata",
           {{"name", name.substr(0, kMaxNodeNameInEvent) + "." + digest(about)},
            {"namespace", "default"}}},
          {"involvedObject",
           {{"kind", "Node"},
            {"apiVersion", "v1"},
            {"name", name},
            {"uid", metadata_text(node, "uid")}}},
          {"type", is_warning ? "Warning" : "Normal"},
          {"reason", reason},
          {"message", message.substr(0, kMaxEventMessage)},
          {"source", {{"component", "kube-cni"}, {"host", name}}},
          {"reportingComponent", "kube-cni"},
          {"reportingInstance", name},
          {"firstTimestamp", now},
          {"lastTimestamp", now},
          {"count", 1}};
}

/// The Event about a change of the network from `before` to `condition`; null: none.
json event_of_network(const json& node, const json& before, const json& condition,
                      const std::string& now) {
  const auto reason = text_of(member(condition, "reason"));
  const bool was_kernel_path = text_of(member(before, "reason")) == kKernelPathOnly;
  if (reason == kKernelPathOnly)
    return make_event(node, true, "KernelPathOnly", text_of(member(condition, "message")), before,
                      now);
  if (reason == kReady && was_kernel_path)
    return make_event(node, false, "EbpfInUse", "Pods have a network with eBPF again", before, now);
  return {};
}

/// Plans that the condition becomes `condition`, and that `event` tells of it.
void plan_change(NodeStatusPlan& plan, const json& before, json condition, json event,
                 const std::string& now) {
  const bool is_transition = member(before, "status") != condition["status"] ||
                             !member(before, "lastTransitionTime").is_string();
  condition["lastTransitionTime"] = is_transition ? json(now) : before["lastTransitionTime"];
  condition["lastHeartbeatTime"] = now;
  plan.status["status"]["conditions"].push_back(std::move(condition));
  if (!event.is_null()) plan.events.push_back(std::move(event));
}

void plan_network(NodeStatusPlan& plan, const json& node, const NodeReadiness& wanted,
                  bool may_take_back, const std::string& now) {
  const json before = present_condition(node, kNetwork);
  const json condition = wanted_network(wanted);
  const bool takes_back = condition["status"] == "True" && member(before, "status") == "False";
  if (says_the_same(before, condition) || (takes_back && !may_take_back)) return;
  plan_change(plan, before, condition, event_of_network(node, before, condition, now), now);
}

/// `text` says what is wrong; empty: nothing.
void plan_trouble(NodeStatusPlan& plan, const json& node, const Trouble& trouble,
                  const std::string& text, const std::string& now) {
  const json before = present_condition(node, trouble.condition);
  const bool is_true = !text.empty();
  if (!is_true && member(before, "status") != "True") return;
  const std::string message = is_true ? text : trouble.over_message;
  const json condition = condition_of(trouble.condition, is_true,
                                      is_true ? trouble.reason : trouble.over_reason, message);
  if (says_the_same(before, condition)) return;
  const char* event = is_true ? trouble.event : trouble.over_event;
  plan_change(plan, before, condition, make_event(node, is_true, event, message, before, now), now);
}

json plan_taints(const json& node, const std::string& startup_taint) {
  json kept = json::array();
  const json& taints = member(member(node, "spec"), "taints");
  for (const json& taint : taints)
    if (text_of(member(taint, "key")) != startup_taint) kept.push_back(taint);
  if (kept.size() == taints.size()) return {};
  // The patch replaces the whole list: applied to another version of the node, it would undo
  // others' changes.
  return {{"metadata", {{"resourceVersion", metadata_text(node, "resourceVersion")}}},
          {"spec", {{"taints", kept}}}};
}

}  // namespace

NodeStatusPlan plan_node_status(const json& node, const NodeReadiness& wanted,
                                const std::string& startup_taint, bool may_take_back,
                                const std::string& now) {
  NodeStatusPlan plan;
  plan_network(plan, node, wanted, may_take_back, now);
  plan_trouble(plan, node, kNoAddress, wanted.no_address, now);
  plan_trouble(plan, node, kNotReached, wanted.not_reached, now);
  plan_trouble(plan, node, kBrokenPolicy, wanted.broken_policy, now);
  if (wanted.why_not_ready.empty() && !startup_taint.empty())
    plan.taints = plan_taints(node, startup_taint);
  return plan;
}

}  // namespace kubecni
