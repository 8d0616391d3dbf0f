#include "bench/footprint_bench.hpp"

#include "base/subprocess.hpp"
#include "bench/footprint_node.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iostream>
#include <thread>

namespace kubecni::bench {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

// How often a kubelet reports the status of an unchanged node.
constexpr std::chrono::minutes kStatusInterval{5};
// A cluster that grows by 5000 nodes in ten minutes.
constexpr std::chrono::milliseconds kMoveInterval{125};
constexpr unsigned kChanges = 5;  ///< of policies, of each kind

/// The size of a program as shipped.
Result<SizeRow> measure_stripped(const fs::path& program) {
  const fs::path stripped = "/run/stripped";
  auto strip =
      run_subprocess({.program = "/bin/sh",
                      .env = {"PATH=/usr/bin:/bin"},
                      .input = "strip -o " + stripped.string() + " '" + program.string() + "'",
                      .deadline = std::chrono::seconds(30)});
  if (!strip) return fail(strip, "strip");
  if (strip->status != 0)
    return failure(EIO, "strip (package binutils) does not take " + program.string());
  return SizeRow{program.filename(), fs::file_size(stripped)};
}

Result<std::vector<SizeRow>> measure_sizes(const FootprintOptions& options) {
  std::vector<SizeRow> rows;
  for (const char* name : {"kube-cni", "kube-cnid", "kube-cnictl"}) {
    auto row = measure_stripped(options.programs / name);
    if (!row) return fail(row);
    rows.push_back(std::move(*row));
  }
  if (!options.image.empty()) rows.push_back({"image", fs::file_size(options.image)});
  return rows;
}

/// A state of the cluster in which the daemon is measured.
struct Scenario {
  std::string name;
  std::function<Result<>()> prepare;
  std::function<Result<>(Clock::time_point end)> pass_time;  ///< called until the window ends
};

Result<DaemonRow> measure_daemon(const Scenario& scenario, const FootprintNode& node,
                                 const FootprintOptions& options) {
  std::this_thread::sleep_for(options.settle);
  auto before = usage_of(node.daemon_pid());
  if (!before) return fail(before, scenario.name);
  const auto begin = Clock::now();
  const auto end = begin + options.window;
  while (Clock::now() < end)
    if (auto passed = scenario.pass_time(end); !passed) return fail(passed, scenario.name);
  auto after = usage_of(node.daemon_pid());
  if (!after) return fail(after, scenario.name);
  const std::chrono::duration<double> took = Clock::now() - begin;
  const std::chrono::duration<double> cpu = after->cpu - before->cpu;
  const std::chrono::duration<double> probe_cpu = after->probe_cpu - before->probe_cpu;
  return DaemonRow{scenario.name, *after, 100 * cpu / took, 100 * probe_cpu / took};
}

double in_ms(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// Adds the delays of one kind of change.
template <typename Change>
Result<> measure_changes(const std::string& name, Change change, std::vector<DelayRow>& delays) {
  std::vector<double> ms;
  ms.reserve(kChanges);
  for (unsigned turn = 0; turn < kChanges; ++turn) {
    auto took = change(turn);
    if (!took) return fail(took, name);
    ms.push_back(in_ms(*took));
  }
  delays.push_back({name, summarize(ms)});
  return {};
}

Result<> measure_denial(FootprintNode& node, const FootprintOptions& options,
                        std::vector<DelayRow>& delays) {
  if (auto announced = node.announce_pods(options.cluster_pods); !announced) return announced;
  auto denied = node.deny_all();
  if (!denied) return fail(denied);
  delays.push_back({"default deny is new", summarize({in_ms(*denied)})});
  return {};
}

Result<> measure_policies(FootprintNode& node, const FootprintOptions& options,
                          std::vector<DelayRow>& delays) {
  auto first = node.announce_policies(options.policies);
  if (!first) return fail(first);
  delays.push_back({"all policies are new", summarize({in_ms(*first)})});
  auto done = measure_changes(
      "a policy gets another peer", [&](unsigned turn) { return node.change_policy(turn); },
      delays);
  if (!done) return done;
  return measure_changes(
      "a pod of another node gets another label",
      [&](unsigned turn) { return node.change_peer(options.cluster_pods - 1 - turn); }, delays);
}

std::vector<Scenario> scenarios_for(FootprintNode& node, const FootprintOptions& options,
                                    std::vector<DelayRow>& delays) {
  const auto idle = [](Clock::time_point end) -> Result<> {
    std::this_thread::sleep_until(end);
    return {};
  };
  const auto flap = [&](Clock::time_point end) -> Result<> {
    return node.flap_pod(std::chrono::ceil<std::chrono::seconds>(end - Clock::now()));
  };
  const auto report = [&, turn = 0U](Clock::time_point end) mutable -> Result<> {
    node.report_status(turn++ % options.nodes);
    const auto next = Clock::now() + std::chrono::nanoseconds(kStatusInterval) / options.nodes;
    std::this_thread::sleep_until(std::min(next, end));
    return {};
  };
  const auto move = [&, turn = 0U](Clock::time_point end) mutable -> Result<> {
    node.move_node(1 + turn++ % (options.nodes - 1));  // node 0 is ours
    std::this_thread::sleep_until(std::min(Clock::now() + kMoveInterval, end));
    return {};
  };
  const std::string large = std::to_string(options.nodes) + " nodes";
  const std::string full = large + ", " + std::to_string(options.pods) + " pods";
  const std::string of_many = full + " of " + std::to_string(options.cluster_pods);
  const std::string policies = of_many + ", " + std::to_string(options.policies) + " policies";
  return {{"1 node", [&] { return node.start_daemon(1); }, idle},
          {large, [&] { return node.start_daemon(options.nodes); }, idle},
          {full, [&] { return node.add_pods(options.pods); }, idle},
          {full + ", each node reports its status every 5 min", [] { return Result<>(); }, report},
          {full + ", 8 nodes a second get another address", [] { return Result<>(); }, move},
          {full + ", one of them takes its eth0 down and up", [] { return Result<>(); }, flap},
          {of_many + ", default deny", [&] { return measure_denial(node, options, delays); }, idle},
          {policies, [&] { return measure_policies(node, options, delays); }, idle}};
}

}  // namespace

Result<Footprint> measure_footprint(const FootprintOptions& options) {
  auto sizes = measure_sizes(options);
  if (!sizes) return fail(sizes);
  auto node = FootprintNode::create(
      {.daemon = options.programs / "kube-cnid", .plugin = options.programs / "kube-cni"});
  if (!node) return fail(node);
  Footprint footprint{std::move(*sizes), {}, {}};
  for (const Scenario& scenario : scenarios_for(**node, options, footprint.delays)) {
    std::cerr << scenario.name << "\n";
    if (auto ready = scenario.prepare(); !ready) return fail(ready, scenario.name);
    auto row = measure_daemon(scenario, **node, options);
    if (!row) return fail(row);
    footprint.daemon.push_back(std::move(*row));
  }
  return footprint;
}

}  // namespace kubecni::bench
