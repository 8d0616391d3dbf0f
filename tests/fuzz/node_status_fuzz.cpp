// What the daemon writes to a Node, whatever the Node contains.

#include "base/json.hpp"
#include "fuzz.hpp"
#include "k8s/node_status.hpp"

using namespace kubecni;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto node = parse_json(fuzz::text_from(data, size));
  if (!node) return 0;

  for (const NodeReadiness& wanted :
       {NodeReadiness{}, NodeReadiness{.why_not_ready = "x", .kernel_path_reason = ""},
        NodeReadiness{.why_not_ready = "", .kernel_path_reason = "x"}}) {
    const auto plan = plan_node_status(*node, wanted, "taint", true, "now");
    require(plan.events.empty() || !plan.status.is_null(), "no event without a change");
    require(plan.taints.is_null() || wanted.why_not_ready.empty(),
            "a node that is not ready stays tainted");
    if (plan.status.is_null()) continue;
    const nlohmann::json after{{"status", plan.status["status"]}};
    require(plan_node_status(after, wanted, "taint", true, "later").status.is_null(),
            "what was written is not written again");
  }
  return 0;
}
