// kube-cnictl: shows this node's dataplane. Run it in the node's network namespace, as root.

#include "collect.hpp"
#include "doctor/examine.hpp"
#include "findings.hpp"
#include "print.hpp"

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

int run(int argc, char** argv) {
  NodePaths paths;
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
  const auto* doctor =
      app.add_subcommand("doctor", "What this machine supports, and how to fix the rest");
  CLI11_PARSE(app, argc, argv);

  const bool as_json = format == "json";
  if (status->parsed()) return answer(collect_status(paths), as_json, kubecni::print_status);
  if (endpoints->parsed())
    return answer(collect_endpoints(paths), as_json, kubecni::print_endpoints);
  if (nodes->parsed()) return answer(collect_nodes(paths), as_json, kubecni::print_nodes);
  if (doctor->parsed()) return examine(paths, as_json);
  return answer(collect_counters(paths), as_json,
                [&](const json& list) { kubecni::print_counters(list, all); });
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
