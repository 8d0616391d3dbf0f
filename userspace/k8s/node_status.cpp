#include "k8s/node_status.hpp"

#include "base/fnv.hpp"
#include "base/json.hpp"
#include "k8s/object_fields.hpp"

#include <cstdint>
#include <cstdio>

namespace kubecni {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxNodeNameInEvent = 253 - 1 - 16;  // of a DNS subdomain
constexpr std::size_t kMaxEventMessage = 1024;
constexpr const char* kConditionType = "NetworkUnavailable";
constexpr const char* kReady = "KubeCniReady";
constexpr const char* kKernelPathOnly = "KubeCniKernelPathOnly";
constexpr const char* kNotReady = "KubeCniNotReady";

/// The node's condition as it is; null: it has none.
json present_condition(const json& node) {
  for (const json& condition : member(member(node, "status"), "conditions"))
    if (text_of(member(condition, "type")) == kConditionType) return condition;
  return {};
}

json wanted_condition(const NodeReadiness& wanted) {
  const bool is_ready = wanted.why_not_ready.empty();
  json condition{{"type", kConditionType}, {"status", is_ready ? "False" : "True"}};
  if (!is_ready) {
    condition["reason"] = kNotReady;
    condition["message"] = wanted.why_not_ready;
  } else if (!wanted.kernel_path_reason.empty()) {
    condition["reason"] = kKernelPathOnly;
    condition["message"] = "Pods have a network, without eBPF: " + wanted.kernel_path_reason;
  } else {
    condition["reason"] = kReady;
    condition["message"] =
        wanted.not_reached.empty()
            ? "Pods have a network"
            : "Pods have a network, but do not reach those of " + wanted.not_reached;
  }
  return condition;
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

json make_event(const json& node, bool is_warning, const json& before, const json& condition,
                const std::string& now) {
  const std::string name = metadata_text(node, "name");
  const std::string reason = is_warning ? "KernelPathOnly" : "EbpfInUse";
  const std::string message =
      is_warning ? text_of(member(condition, "message")) : "Pods have a network with eBPF again";
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

/// The Event about a change from `before` to `condition`; null: none.
json plan_event(const json& node, const json& before, const json& condition,
                const std::string& now) {
  const auto reason = text_of(member(condition, "reason"));
  const bool was_kernel_path = text_of(member(before, "reason")) == kKernelPathOnly;
  if (reason == kKernelPathOnly) return make_event(node, true, before, condition, now);
  if (reason == kReady && was_kernel_path) return make_event(node, false, before, condition, now);
  return {};
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
  const json before = present_condition(node);
  json condition = wanted_condition(wanted);
  const bool is_ready = wanted.why_not_ready.empty();
  const bool takes_back = !is_ready && member(before, "status") == "False";
  if (!says_the_same(before, condition) && (!takes_back || may_take_back)) {
    plan.event = plan_event(node, before, condition, now);
    const bool is_transition = member(before, "status") != condition["status"] ||
                               !member(before, "lastTransitionTime").is_string();
    condition["lastTransitionTime"] = is_transition ? json(now) : before["lastTransitionTime"];
    condition["lastHeartbeatTime"] = now;
    plan.status = {{"status", {{"conditions", json::array({condition})}}}};
  }
  if (is_ready && !startup_taint.empty()) plan.taints = plan_taints(node, startup_taint);
  return plan;
}

}  // namespace kubecni
