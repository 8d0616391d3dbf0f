#include "bench/sync_command.hpp"

#include "bench/machine.hpp"
#include "bench/sync_bench.hpp"
#include "bench/sync_report.hpp"
#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <iostream>
#include <memory>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

struct Command {
  SyncOptions options;
  unsigned settle = 40;
  std::string format = "markdown";
};

/// What is wrong with the command line; empty if nothing. Completes the options.
std::string complete(Command& command) {
  if (::geteuid() != 0) return "needs root, for network namespaces";
  auto& options = command.options;
  options.programs = fs::absolute(options.programs);
  options.settle = std::chrono::seconds(command.settle);
  for (const char* name : {"kube-cni", "kube-cnid"})
    if (::access((options.programs / name).c_str(), X_OK) != 0)
      return (options.programs / name).string() + " is missing: build it, or give --programs";
  if (options.changes >= options.nodes) return "--changes has to be less than --nodes";
  return "";
}

int run(const Command& command) {
  Facts facts = machine_facts();
  facts.emplace_back("kube-cni", KUBECNI_VERSION);
  facts.emplace_back("nodes", std::to_string(command.options.nodes) + ", dual stack");
  const auto rows = measure_sync(command.options);
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
  if (const auto wrong = complete(command); !wrong.empty()) {
    std::cerr << "kube-cni-bench: " << wrong << "\n";
    throw CLI::RuntimeError(2);
  }
  const int status = run_in_sandbox([]() -> Result<> { return {}; }, [&] { return run(command); });
  if (status != 0) throw CLI::RuntimeError(status);
}

}  // namespace

void add_sync_command(CLI::App& app) {
  const auto command = std::make_shared<Command>();
  auto& options = command->options;
  options.programs = fs::read_symlink("/proc/self/exe").parent_path();
  auto* sync = app.add_subcommand("sync", "How soon the nodes of a large cluster are known");
  sync->add_option("--programs", options.programs,
                   "Folder of kube-cni and kube-cnid; by default that of this program");
  sync->add_option("--nodes", options.nodes, "Nodes of the cluster")
      ->check(CLI::Range(2U, 16000U))
      ->capture_default_str();
  sync->add_option("--changes", options.changes, "Of one node, of each kind")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  sync->add_option("--settle", command->settle, "Seconds before memory is read")
      ->check(CLI::Range(0U, 3600U))
      ->capture_default_str();
  sync->add_option("--calls", options.calls, "Of each walk of a packet")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  sync->add_option("-o,--output", command->format)
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  sync->callback([command] { run_sandboxed(*command); });
}

}  // namespace kubecni::bench
