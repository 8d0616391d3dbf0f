// cnicheck: checks whether a CNI plugin keeps the contract. It executes the plugin in network
// namespaces of its own, and checks its answers and the kernel's state. See docs/conformance.md.

#include "case.hpp"
#include "report.hpp"
#include "test_plugins.hpp"

#include <CLI/CLI.hpp>

#include <fnmatch.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>

namespace {

using namespace kubecni::cnicheck;
using std::chrono::milliseconds;

volatile std::sig_atomic_t interrupted = 0;

struct Options {
  Settings settings;
  std::string format = "text";
  std::vector<std::string> only{"*"};
  std::vector<std::string> hooks;
  unsigned timeout_s = 30;
  bool list = false;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& group :
       {protocol_cases(), version_cases(), input_cases(), add_cases(), result_cases(),
        crash_cases(), del_cases(), check_cases(), status_cases(), gc_cases(), chain_cases()})
    cases.insert(cases.end(), group.begin(), group.end());
  std::ranges::sort(cases, {}, [](const Case& one) { return std::string_view(one.id); });
  return cases;
}

bool is_wanted(const Case& one, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), one.id, 0) == 0;
  });
}

Verdict run_case(const Case& one, Bench& bench) {
  if (one.verb)
    if (auto has = bench.require_verb(one.verb, one.since); !has)
      return std::unexpected(has.error());
  Scenario scenario(bench);
  return one.run(scenario);
}

CLI::App& declare(CLI::App& app, Options& options) {
  auto& settings = options.settings;
  app.add_option("--plugin-dir", settings.plugin_dir, "The folder with the plugin");
  app.add_option("--conf", settings.conf, "Its network configuration, .conf or .conflist");
  app.add_option("--ipam-dir", settings.ipam_dir, "A folder with further plugins, for CNI_PATH");
  app.add_option("--dual-conf", settings.dual_conf, "A network of both families, for C28, C29");
  app.add_option("--ipam-conf", settings.ipam_conf, "A network with \"ipam\", for C63, C74");
  app.add_option("--other-conf", settings.other_conf, "Another network, for C75");
  app.add_option("--state-dir", settings.state_dirs,
                 "A folder that only this run uses, in which the plugin may leave no file behind "
                 "(repeatable). Files that are left are deleted; C51 and C73 damage them");
  app.add_option("--hook", options.hooks,
                 "NAME=COMMAND, run by a shell in the node's namespace (repeatable). Names: "
                 "node-start, node-stop, daemon-start, daemon-stop, detach-dataplane, "
                 "attach-dataplane, remove-endpoint, delete-state");
  app.add_option("--only", options.only, "Only the cases that a pattern matches, like 'C2*'");
  app.add_option("--timeout", options.timeout_s, "Seconds until an execution is cut off")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  app.add_option("--kill-points", settings.kill_points, "At most this many per verb, for C23")
      ->capture_default_str();
  app.add_option("-o,--output", options.format)
      ->check(CLI::IsMember({"text", "json", "junit"}))
      ->capture_default_str();
  app.add_flag("--list", options.list, "Only print the cases");
  app.set_version_flag("--version", KUBECNI_VERSION);
  return app;
}

constexpr const char* kHookNames[] = {"node-start",      "node-stop",        "daemon-start",
                                      "daemon-stop",     "detach-dataplane", "attach-dataplane",
                                      "remove-endpoint", "delete-state"};

/// Completes the settings. Returns what is wrong with the command line; empty if nothing.
std::string complete(Options& options) {
  auto& settings = options.settings;
  if (settings.plugin_dir.empty() || settings.conf.empty())
    return "--plugin-dir and --conf are needed";
  if (geteuid() != 0) return "needs root, for network namespaces";
  settings.timeout = std::chrono::seconds(options.timeout_s);
  settings.plugin_dir = std::filesystem::absolute(settings.plugin_dir);
  if (!settings.ipam_dir.empty()) settings.ipam_dir = std::filesystem::absolute(settings.ipam_dir);
  for (const auto& hook : options.hooks) {
    const auto equals = hook.find('=');
    const std::string name = hook.substr(0, equals);
    if (equals == std::string::npos || std::ranges::find(kHookNames, name) == std::end(kHookNames))
      return "--hook " + hook + ": not NAME=COMMAND with one of the names in --help";
    settings.hooks[name] = hook.substr(equals + 1);
  }
  return "";
}

int check_plugin(const Options& options, const std::vector<Case>& cases) {
  auto bench = Bench::set_up(options.settings);
  if (!bench) {
    std::cerr << "cnicheck: " << bench.error().what << "\n";
    return 2;
  }
  if (!bench->warm_up_problem().empty())
    std::cerr << "cnicheck: the first ADD fails: " << bench->warm_up_problem() << "\n";
  const auto printer = make_printer(options.format, bench->type());
  bool failed = false;
  for (const auto& one : cases) {
    if (interrupted) break;
    const auto start = std::chrono::steady_clock::now();
    const Verdict verdict = run_case(one, *bench);
    const auto took =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
    const auto report = make_report(one.id, one.title, verdict, took);
    failed |= report.outcome == Outcome::kFail;
    printer->add(report);
  }
  printer->finish();
  if (interrupted) std::cerr << "cnicheck: interrupted\n";
  return failed || interrupted ? 1 : 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Checks a CNI plugin against the contract. Exit status: 0 nothing failed, 1 a case "
      "failed, 2 it could not be tried.",
      "cnicheck");
  CLI11_PARSE(declare(app, options), argc, argv);
  std::vector<Case> cases = all_cases();
  std::erase_if(cases, [&](const Case& one) { return !is_wanted(one, options.only); });
  if (options.list) {
    for (const auto& one : cases) std::cout << one.id << "  " << one.title << "\n";
    return 0;
  }
  if (const auto wrong = complete(options); !wrong.empty()) {
    std::cerr << "cnicheck: " << wrong << "\n";
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { interrupted = 1; });
  return check_plugin(options, cases);
}

}  // namespace

int main(int argc, char** argv) {
  if (is_test_plugin(argv[0])) return run_test_plugin(argv[0]);
  return run(argc, argv);
}
