#include "bench/footprint_command.hpp"

#include "bench/footprint_bench.hpp"
#include "bench/footprint_report.hpp"
#include "bench/machine.hpp"
#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <iostream>
#include <memory>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

struct Command {
  FootprintOptions options;
  unsigned settle = 15, seconds = 60;
  std::string format = "markdown";
};

/// What is wrong with the command line; empty if nothing. Completes the options.
std::string complete(Command& command) {
  if (::geteuid() != 0) return "needs root, for network namespaces";
  auto& options = command.options;
  options.programs = fs::absolute(options.programs);
  options.settle = std::chrono::seconds(command.settle);
  options.window = std::chrono::seconds(command.seconds);
  for (const char* name : {"kube-cni", "kube-cnid", "kube-cnictl"})
    if (::access((options.programs / name).c_str(), X_OK) != 0)
      return (options.programs / name).string() + " is missing: build it, or give --programs";
  if (!options.image.empty() && !fs::is_regular_file(options.image))
    return options.image.string() + " is not a file";
  return "";
}

int run(const Command& command) {
  Facts facts = machine_facts();
  facts.emplace_back("kube-cni", KUBECNI_VERSION);
  facts.emplace_back("window", std::to_string(command.seconds) + " s");
  const auto footprint = measure_footprint(command.options);
  if (!footprint) {
    std::cerr << "kube-cni-bench: " << footprint.error().what << "\n";
    return 1;
  }
  if (command.format == "json")
    std::cout << to_json(facts, *footprint).dump(2) << "\n";
  else
    print_markdown(std::cout, facts, *footprint);
  return 0;
}

void run_sandboxed(Command& command) {
  if (const auto wrong = complete(command); !wrong.empty()) {
    std::cerr << "kube-cni-bench: " << wrong << "\n";
    throw CLI::RuntimeError(2);
  }
  const int status = run_in_sandbox([]() -> Result<> { return {}; }, [&] { return run(command); });
  if (status != 0) throw CLI::RuntimeError(status);
}

}  // namespace

void add_footprint_command(CLI::App& app) {
  const auto command = std::make_shared<Command>();
  auto& options = command->options;
  options.programs = fs::read_symlink("/proc/self/exe").parent_path();
  auto* footprint = app.add_subcommand(
      "footprint", "How large the programs are, and what the daemon uses of a node");
  footprint->add_option("--programs", options.programs,
                        "Folder of kube-cni, kube-cnid and kube-cnictl; by default that of this "
                        "program");
  footprint->add_option("--image", options.image, "A container image as a file, for its size");
  footprint->add_option("--nodes", options.nodes, "Nodes of the large cluster")
      ->check(CLI::Range(2U, 30000U))
      ->capture_default_str();
  footprint->add_option("--pods", options.pods, "Pods on the node")
      ->check(CLI::Range(1U, 250U))
      ->capture_default_str();
  footprint
      ->add_option("--cluster-pods", options.cluster_pods, "Pods of the cluster, with policies")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();
  footprint->add_option("--policies", options.policies, "Network policies for pods of the node")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();
  footprint->add_option("--settle", command->settle, "Seconds before, of each scenario")
      ->check(CLI::Range(0U, 3600U))
      ->capture_default_str();
  footprint->add_option("--seconds", command->seconds, "Seconds for which each scenario is watched")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  footprint->add_option("-o,--output", command->format)
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  footprint->callback([command] { run_sandboxed(*command); });
}

}  // namespace kubecni::bench
