#include "bench/prog_command.hpp"

#include "base/file.hpp"
#include "bench/machine.hpp"
#include "bench/prog_report.hpp"
#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <iostream>
#include <memory>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

struct Command {
  WalkOptions options;
  fs::path baseline;
  bool write_baseline = false;
  std::string format = "markdown";
};

int complain(const Error& error) {
  std::cerr << "kube-cni-bench: " << error.what << "\n";
  return 1;
}

int write_baseline(const fs::path& path, const ProgBaseline& baseline) {
  const auto written = write_file_atomically(path, to_json(baseline).dump(2) + "\n");
  if (!written) return complain(written.error());
  std::cerr << "wrote " << path.string() << "\n";
  return 0;
}

int run(const Command& command) {
  Facts facts = machine_facts();
  facts.emplace_back("kube-cni", KUBECNI_VERSION);
  auto counts = count_programs();
  if (!counts) return complain(counts.error());
  if (command.write_baseline)
    return write_baseline(command.baseline, {kernel_series(), std::move(*counts)});
  auto baseline = read_baseline(command.baseline);
  if (!baseline) return complain(baseline.error());
  auto walks = time_walks(command.options);
  if (!walks) return complain(walks.error());
  const ProgGrowth growth = compare_with(*baseline, kernel_series(), *counts);
  const ProgReport report{std::move(*baseline), std::move(*counts), std::move(*walks), growth};
  if (command.format == "json")
    std::cout << to_json(facts, report).dump(2) << "\n";
  else
    print_markdown(std::cout, facts, report);
  return 0;
}

void run_sandboxed(Command& command) {
  if (::geteuid() != 0) {
    std::cerr << "kube-cni-bench: needs root, to load programs\n";
    throw CLI::RuntimeError(2);
  }
  command.baseline = fs::absolute(command.baseline);
  const int status = run_in_sandbox([]() -> Result<> { return {}; }, [&] { return run(command); });
  if (status != 0) throw CLI::RuntimeError(status);
}

}  // namespace

void add_prog_command(CLI::App& app) {
  const auto command = std::make_shared<Command>();
  command->baseline = KUBECNI_PROG_BASELINE;
  auto* prog =
      app.add_subcommand("prog", "What the programs cost a packet, and how large they are");
  prog->add_option("--calls", command->options.calls,
                   "Of each walk; of 60 packets, or of one new flow")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  prog->add_option("--more-nodes", command->options.more_nodes,
                   "PodCIDRs of other nodes in the maps, besides those that packets go to")
      ->check(CLI::Range(0U, 16000U))
      ->capture_default_str();
  prog->add_option("--baseline", command->baseline, "The sizes to compare with")
      ->capture_default_str();
  prog->add_flag("--write-baseline", command->write_baseline,
                 "Measure no times; write the sizes of this build to the baseline");
  prog->add_option("-o,--output", command->format)
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  prog->callback([command] { run_sandboxed(*command); });
}

}  // namespace kubecni::bench
