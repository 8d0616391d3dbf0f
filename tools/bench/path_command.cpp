#include "bench/path_command.hpp"

#include "base/subprocess.hpp"
#include "bench/machine.hpp"
#include "bench/path_report.hpp"
#include "sandbox/sandbox.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <memory>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

struct Command {
  PathOptions options;
  std::string reference_version = "unknown";
  unsigned window_ms = 0;  ///< 0: by `quick`
  unsigned rounds = 0;
  bool quick = false;
  bool policy = false;
  std::vector<std::string> cores{"two", "one"};
  std::string format = "markdown";
  std::string json, csv, svg;
  // Opened before the run, so that it does not fail at its end, and in the caller's file systems.
  std::ofstream json_file, csv_file, svg_file;
};

constexpr const char* kGnuplot = "/usr/bin/gnuplot";

/// What is wrong with the command line; empty if nothing. Completes the options.
std::string complete(Command& command) {
  if (::geteuid() != 0) return "needs root, for network namespaces";
  PathOptions& options = command.options;
  options.programs.kube_cni = fs::absolute(options.programs.kube_cni);
  options.programs.reference = fs::absolute(options.programs.reference);
  if (options.groups.empty()) options.groups = command.policy ? policy_groups() : usual_groups();
  options.rounds = command.rounds != 0 ? command.rounds : command.quick ? 3 : 5;
  options.window = std::chrono::milliseconds(command.window_ms != 0 ? command.window_ms
                                             : command.quick        ? 35
                                                                    : 170);
  options.cores.clear();
  for (const auto& cores : command.cores)
    options.cores.push_back(cores == "two" ? Cores::kTwo : Cores::kOne);
  for (const auto& program :
       {options.programs.kube_cni / "kube-cni", options.programs.kube_cni / "kube-cnid"})
    if (::access(program.c_str(), X_OK) != 0)
      return program.string() + " is missing: build it, or give --programs";
  for (const char* name : {"bridge", "ptp", "host-local"})
    if (::access((options.programs.reference / name).c_str(), X_OK) != 0)
      return (options.programs.reference / name).string() +
             " is missing (package containernetworking-plugins)";
  if (!command.svg.empty() && ::access(kGnuplot, X_OK) != 0)
    return std::string(kGnuplot) + " is missing (package gnuplot-nox): --svg needs it";
  for (const auto& [path, file] : {std::pair{&command.json, &command.json_file},
                                   {&command.csv, &command.csv_file},
                                   {&command.svg, &command.svg_file}})
    if (!path->empty() && (file->open(*path), !*file)) return *path + " cannot be written";
  return "";
}

Result<> write_chart(const std::vector<PathRow>& rows, std::ostream& svg) {
  const std::string script = gnuplot_script(rows);
  if (script.empty()) return failure(ENODATA, "no chart: it needs --work tcp-rr and --cores one");
  auto drawn = run_subprocess(
      {.program = kGnuplot, .env = {}, .input = script, .deadline = std::chrono::seconds(30)});
  if (!drawn) return fail(drawn, "gnuplot");
  if (drawn->status != 0)
    return failure(EIO, "gnuplot ended with status " + std::to_string(drawn->status));
  svg << drawn->out << std::flush;
  return {};
}

Facts facts_of(const Command& command) {
  const PathOptions& options = command.options;
  Facts facts = machine_facts();
  facts.emplace_back("kube-cni", KUBECNI_VERSION);
  facts.emplace_back("bridge, ptp, host-local", command.reference_version);
  facts.emplace_back("rounds", std::to_string(options.rounds));
  facts.emplace_back("window", std::to_string(options.window.count()) + " ms");
  return facts;
}

int complain(const Error& error) {
  std::cerr << "kube-cni-bench: " << error.what << "\n";
  return 1;
}

int run(Command& command, const SoftirqClock& softirqs) {
  const Facts facts = facts_of(command);
  const auto rows = measure_paths(command.options, softirqs);
  if (!rows) return complain(rows.error());
  const auto json = to_json(facts, *rows).dump(2);
  if (command.json_file.is_open()) command.json_file << json << "\n" << std::flush;
  if (command.csv_file.is_open()) {
    print_csv(command.csv_file, *rows);
    command.csv_file.flush();
  }
  if (command.format == "json")
    std::cout << json << "\n";
  else
    print_markdown(std::cout, facts, *rows);
  if (!command.svg_file.is_open()) return 0;
  const auto drawn = write_chart(*rows, command.svg_file);
  return drawn ? 0 : complain(drawn.error());
}

void run_sandboxed(Command& command) {
  if (const auto wrong = complete(command); !wrong.empty()) {
    std::cerr << "kube-cni-bench: " << wrong << "\n";
    throw CLI::RuntimeError(2);
  }
  const SoftirqClock softirqs;
  const int status =
      run_in_sandbox([]() -> Result<> { return {}; }, [&] { return run(command, softirqs); });
  if (status != 0) throw CLI::RuntimeError(status);
}

std::vector<std::string> all_works() {
  std::vector<std::string> names;
  names.reserve(kWorks.size());
  for (const WorkInfo& info : kWorks) names.emplace_back(info.name);
  return names;
}

void add_choices(CLI::App& path, Command& command) {
  auto& options = command.options;
  auto* policy = path.add_flag("--policy", command.policy,
                               "What network policies cost, instead of the usual groups");
  path.add_option("--only", options.groups, "Groups of candidates; by default all the usual ones")
      ->delimiter(',')
      ->check(CLI::IsMember(all_groups()))
      ->excludes(policy);
  path.add_option("--candidate", options.candidates,
                  "Parts of names of candidates, like \"eBPF\"; limit and reference come along");
  path.add_option("--work", options.works, "Kinds of traffic; by default all")
      ->delimiter(',')
      ->check(CLI::IsMember(all_works()));
  path.add_option("--cores", command.cores,
                  "two: client and server each on a core; one: both on the same")
      ->delimiter(',')
      ->check(CLI::IsMember({"two", "one"}))
      ->capture_default_str();
  path.add_option("--rounds", command.rounds, "By default 5, with --quick 3")
      ->check(CLI::Range(1U, 1000U));
  path.add_option("--window", command.window_ms,
                  "Milliseconds of each measurement; by default 170, with --quick 35")
      ->check(CLI::Range(5U, 60000U));
  path.add_flag("--quick", command.quick, "Two minutes instead of ten, and less exact");
}

}  // namespace

void add_path_command(CLI::App& app) {
  const auto command = std::make_shared<Command>();
  auto& programs = command->options.programs;
  programs.kube_cni = fs::read_symlink("/proc/self/exe").parent_path();
  programs.reference = "/usr/lib/cni";
  auto* path = app.add_subcommand("path", "What a packet costs, beside other paths and the limit");
  path->add_option("--programs", programs.kube_cni,
                   "Folder of kube-cni and kube-cnid; by default that of this program");
  path->add_option("--reference", programs.reference, "The folder with bridge, ptp, host-local")
      ->capture_default_str();
  path->add_option("--reference-version", command->reference_version, "For the report");
  add_choices(*path, *command);
  path->add_option("--json", command->json, "Also write the report to this file, as JSON");
  path->add_option("--csv", command->csv, "The same as a table with commas");
  path->add_option("--svg", command->svg, "The same as a chart (package gnuplot-nox)");
  path->add_option("-o,--output", command->format)
      ->check(CLI::IsMember({"markdown", "json"}))
      ->capture_default_str();
  path->callback([command] { run_sandboxed(*command); });
}

}  // namespace kubecni::bench
