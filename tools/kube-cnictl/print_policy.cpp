#include "print_policy.hpp"

#include "text_table.hpp"

#include <iomanip>
#include <iostream>

namespace kubecni {

using nlohmann::json;

namespace {

void print_revision(const json& daemon) {
  std::cout << "revision:   " << daemon["revision"];
  if (daemon["forcedRevision"] == daemon["revision"])
    std::cout << ", in force " << std::fixed << std::setprecision(3)
              << daemon["secondsToForce"].get<double>() << " s after it was heard of\n";
  else
    std::cout << ", NOT in force; the last one that is: " << daemon["forcedRevision"] << "\n";
}

void print_summary(const json& policy) {
  const json& daemon = policy["daemon"];
  if (daemon.is_null()) {
    std::cout << "policies:   kube-cnid has not reported; does it run with the same --run-dir?\n";
  } else if (daemon["mode"] == "off") {
    std::cout << "policies:   not enforced (--network-policy off)\n";
  } else if (daemon["mode"] == "not known") {
    std::cout << "policies:   not known yet; until then what was enforced stays, or all pods that "
                 "a policy may select are closed\n";
  } else {
    std::cout << "policies:   " << daemon["policies"] << " in the cluster\n";
    print_revision(daemon);
    if (daemon["awaitsPeers"])
      std::cout << "            waiting for the pods of other nodes: rules that select pods let "
                   "none of them pass, and new pods of such policies are closed\n";
    for (const json& broken : daemon["broken"])
      std::cout << "            ERROR " << broken["policy"].get<std::string>()
                << " closes its pods: " << broken["reason"].get<std::string>() << "\n";
  }
  if (!daemon.is_null() && daemon["error"] != "")
    std::cout << "            ERROR " << daemon["error"].get<std::string>() << "\n";
  if (!daemon.is_null() && !policy["running"])
    std::cout << "            ERROR kube-cnid is not running: this is its last report\n";
  const bool needs_table = !daemon.is_null() && daemon["mode"] == "enforced";
  if (needs_table && !policy["hasTable"])
    std::cout << "            ERROR there is no table inet kube-cni-policy: all pods are open\n";
}

std::string state_of(const json& pod, bool awaits_peers) {
  if (!pod["known"]) return awaits_peers ? "closed: not known yet" : "closed: no Pod object of it";
  return pod["ingress"]["chain"] == "" && pod["egress"]["chain"] == "" ? "open" : "isolated";
}

}  // namespace

void print_policy(const json& policy) {
  print_summary(policy);
  if (!policy["daemon"].is_null() && !policy["daemon"]["pods"].empty()) {
    std::vector<Row> rows;
    for (const json& pod : policy["daemon"]["pods"])
      rows.push_back({cell(pod["pod"]), cell(joined(pod["addresses"])),
                      state_of(pod, policy["daemon"]["awaitsPeers"]),
                      cell(joined(pod["ingress"]["policies"])),
                      cell(joined(pod["egress"]["policies"]))});
    std::cout << "\n";
    print_table({"POD", "ADDRESS", "STATE", "INGRESS BY", "EGRESS BY"}, rows);
  }
  if (policy["chains"].empty()) return;
  std::vector<Row> rows;
  for (const json& chain : policy["chains"])
    rows.push_back({chain["chain"], chain["direction"], cell(chain["pods"]), chain["denied"].dump(),
                    joined(chain["policies"])});
  std::cout << "\n";
  print_table({"CHAIN", "DIRECTION", "PODS", "DENIED PACKETS", "BY"}, rows);
}

void print_policy_answer(const json& answer) {
  const auto text = [](const json& value) { return value.get<std::string>(); };
  std::cout << text(answer["from"]) << " -> " << text(answer["to"]) << " "
            << text(answer["protocol"]) << " " << answer["port"] << ": " << text(answer["verdict"])
            << "\n";
  for (const json& flow : answer["flows"]) {
    std::cout << "  " << text(flow["from"]) << " -> " << text(flow["to"]) << "\n";
    for (const char* side : {"egress", "ingress"})
      std::cout << "    " << std::left << std::setw(9) << side << std::setw(11)
                << text(flow[side]["verdict"]) << text(flow[side]["by"]) << "\n";
    std::cout << "    " << std::setw(9) << "table" << std::setw(11)
              << text(flow["table"]["verdict"]) << joined(flow["table"]["by"]) << "\n";
  }
  for (const json& note : answer["notes"]) std::cout << "  NOTE " << text(note) << "\n";
}

}  // namespace kubecni
