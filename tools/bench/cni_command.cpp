#include "bench/cni_command.hpp"

#include "bench/cni_bench.hpp"
#include "bench/cni_plugins.hpp"
#include "bench/cni_report.hpp"
#include "bench/machine.hpp"
#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

struct Command {
  CniOptions options;
  std::string reference_version = "unknown";
  std::string format = "markdown";
};

/// What is wrong with the command line; empty if nothing. Completes the options.
std::string complete(CniOptions& options) {
  if (::geteuid() != 0) return "needs root, for network namespaces";
  options.kube_cni = fs::absolute(options.kube_cni);
  options.reference_dir = fs::absolute(options.reference_dir);
  std::ranges::sort(options.pods);
  if (std::ranges::max(options.pods) + options.parallel > kMaxPods)
    return "a node has room for " + std::to_string(kMaxPods) + " pods";
  for (const auto& program : {options.kube_cni, options.reference_dir / "bridge",
                              options.reference_dir / "ptp", options.reference_dir / "host-local"})
    if (::access(program.c_str(), X_OK) != 0)
      return program.string() + " is missing (package containernetworking-plugins)";
  return "";
}

int run(const Command& command) {
  Facts facts = machine_facts();
  facts.emplace_back("kube-cni", KUBECNI_VERSION);
  facts.emplace_back("bridge, ptp, host-local", command.reference_version);
  const auto rows = measure_cni(command.options);
  if (!rows) {
    std::cerr << "kube-cni-bench: " << rows.error().what << "\n";
    return 1;
  }
  if (command.format == "json")
    std::cout << to_json(facts, *rows).dump(2) << "\n";
  else
    print_markdown(std::cout, facts, *rows);
  return 0;
}

void run_sandboxed(Command& command) {
  if (const auto wrong = complete(command.options); !wrong.empty()) {
    std::cerr << "kube-cni-bench: " << wrong << "\n";
    throw CLI::RuntimeError(2);
  }
  const int status = run_in_sandbox([]() -> Result<> { return {}; }, [&] { return run(command); });
  if (status != 0) throw CLI::RuntimeError(status);
}

}  // namespace

void add_cni_command(CLI::App& app) {
  const auto command = std::make_shared<Command>();
  auto& options = command->options;
  options.kube_cni = fs::read_symlink("/proc/self/exe").parent_path() / "kube-cni";
  auto* cni = app.add_subcommand("cni", "ADD and DEL beside the reference plugins bridge and ptp");
  cni->add_option("--plugin", options.kube_cni, "kube-cni; by default the one beside this program");
  cni->add_option("--reference", options.reference_dir, "The folder with bridge, ptp, host-local")
      ->capture_default_str();
  cni->add_option("--reference-version", command->reference_version, "For the report");
  cni->add_option("--pods", options.pods, "Pods present meanwhile, one number a scenario")
      ->delimiter(',')
      ->capture_default_str();
  cni->add_option("--parallel", options.parallel, "Calls at once")
      ->check(CLI::Range(2U, 200U))
      ->capture_default_str();
  cni->add_option("--rounds", options.rounds, "Of one call after the other")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();
  cni->add_option("--batches", options.batches, "Rounds of calls at once")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();
  cni->add_option("--warm-up", options.warm_up, "Rounds before each scenario that do not count")
      ->capture_default_str();
  cni->add_option("-o,--output", command->format)
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  cni->callback([command] { run_sandboxed(*command); });
}

}  // namespace kubecni::bench
