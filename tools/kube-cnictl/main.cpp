// kube-cnictl: shows this node's dataplane. Run it in the node's network namespace, as root.

#include "ask_policy.hpp"
#include "collect.hpp"
#include "collect_policy.hpp"
#include "doctor/examine.hpp"
#include "findings.hpp"
#include "print.hpp"
#include "print_policy.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>

namespace {

using kubecni::NodePaths;
using kubecni::Result;
using nlohmann::json;

template <typename Print>
int answer(const Result<json>& collected, bool as_json, Print print) {
  if (!collected) {
    std::cerr << "kube-cnictl: " << collected.error().what << "\n";
    return 1;
  }
  if (as_json)
    std::cout << collected->dump(2) << "\n";
  else
    print(*collected);
  return 0;
}

/// Exit status 1: something is missing that eBPF, or any network, needs.
int examine(const NodePaths& paths, bool as_json) {
  const auto findings = kubecni::examine_machine(paths.bpffs);
  if (as_json)
    std::cout << kubecni::to_json(findings).dump(2) << "\n";
  else
    kubecni::print_findings(findings);
  return std::ranges::any_of(findings, &kubecni::is_missing) ? 1 : 0;
}

/// Exit status 0: allowed; 1: denied; 2: it could not be answered.
int ask(const NodePaths& paths, const kubecni::PolicyQuestion& question, bool as_json) {
  constexpr int kNoAnswer = 2;
  const auto answered = kubecni::ask_policy(paths, question);
  if (answer(answered, as_json, kubecni::print_policy_answer) != 0) return kNoAnswer;
  const json& verdict = (*answered)["verdict"];
  return verdict == "allowed" ? 0 : verdict == "denied" ? 1 : kNoAnswer;
}

CLI::App* add_policy_test(CLI::App& policy, kubecni::PolicyQuestion& question) {
  auto* test = policy.add_subcommand(
      "test",
      "Whether FROM may reach TO: from the objects, and from this node's table. Exit "
      "status: 0 allowed, 1 denied, 2 it could not be answered");
  test->add_option("FROM", question.from, "NAMESPACE/POD, or an address")->required();
  test->add_option("TO", question.to, "likewise")->required();
  test->add_option("PORT", question.port, "PORT[/PROTOCOL]: a number, or a name of TO's; tcp")
      ->required();
  test->add_option("--policy-file", question.policy_file,
                   "Read the objects from this file (default: as kube-cnid does)");
  test->add_option("--kubeconfig", question.kubeconfig,
                   "Read the objects from this API server (default: as kube-cnid does)");
  return test;
}

int run(int argc, char** argv) {
  NodePaths paths;
  kubecni::PolicyQuestion question;
  std::string format = "table";
  bool all = false;
  CLI::App app("Shows what this node's kube-cni dataplane is and does.", "kube-cnictl");
  app.set_version_flag("--version", KUBECNI_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("-o,--output", format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_option("--state-dir", paths.state_dir)->capture_default_str();
  app.add_option("--run-dir", paths.run_dir)->capture_default_str();
  app.add_option("--bpffs", paths.bpffs)->capture_default_str();
  const auto* status = app.add_subcommand("status", "Dataplane, daemon, pods in short");
  const auto* endpoints = app.add_subcommand("endpoints", "This node's pods");
  const auto* nodes = app.add_subcommand("nodes", "How each PodCIDR is reached");
  auto* counters = app.add_subcommand("counters", "Packets by exit reason");
  counters->add_flag("--all", all, "Also the reasons that never occurred");
  auto* policy = app.add_subcommand(
      "policy", "This node's pods with the network policies that select them, and what is denied");
  const auto* policy_test = add_policy_test(*policy, question);
  const auto* doctor =
      app.add_subcommand("doctor", "What this machine supports, and how to fix the rest");
  CLI11_PARSE(app, argc, argv);

  const bool as_json = format == "json";
  if (status->parsed()) return answer(collect_status(paths), as_json, kubecni::print_status);
  if (endpoints->parsed())
    return answer(collect_endpoints(paths), as_json, kubecni::print_endpoints);
  if (nodes->parsed()) return answer(collect_nodes(paths), as_json, kubecni::print_nodes);
  if (policy_test->parsed()) return ask(paths, question, as_json);
  if (policy->parsed()) return answer(collect_policy(paths), as_json, kubecni::print_policy);
  if (doctor->parsed()) return examine(paths, as_json);
  return answer(collect_counters(paths), as_json,
                [&](const json& list) { kubecni::print_counters(list, all); });
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
