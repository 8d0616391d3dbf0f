// C23 and C26: killed at each step, and many at once.

#include "base/text.hpp"
#include "case.hpp"
#include "kill_points.hpp"
#include "parallel.hpp"
#include "result_schema.hpp"

#include <algorithm>
#include <set>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

constexpr std::size_t kParallelAdds = 50;

/// The tested plugin's own ADD or DEL, to be traced.
Result<ProcessSpec> plan(Scenario& scenario, const char* verb, const Target& target,
                         const json& prev_result) {
  const Bench& bench = scenario.bench;
  return bench.runner().plan(bench.type(), verb, target,
                             bench.network().input(0, prev_result, nullptr).dump());
}

/// ADD of another container works afterwards, with a free address.
Result<> expect_fresh_add(Scenario& scenario, const std::set<IpNet>& in_use) {
  auto fresh = scenario.attach();
  if (!fresh) return fail(fresh, "the next ADD");
  for (const auto& net : result_addresses((*fresh)->result))
    if (in_use.contains(net)) return unmet("the next ADD", "a free address", net.str());
  return scenario.detach(**fresh);
}

/// Kills the verb before its change `number`; the runtime's DEL has to clean up. Returns whether
/// the kill came before the verb's end.
Result<bool> kill_at(Scenario& scenario, const std::string& verb, unsigned number,
                     const std::set<IpNet>& in_use) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  auto pod_before = KernelSnapshot::take((*pod)->fd());
  if (!pod_before) return fail(pod_before);
  const Target target{scenario.bench.next_name(), (*pod)->path()};
  Attachment* attachment =
      scenario.remember({scenario.bench.network(), target, nullptr, (*pod)->fd()});
  if (verb == "DEL") {
    auto added = scenario.bench.runner().add(scenario.bench.network(), target);
    if (!added) return fail(added);
    attachment->result = added->result;
  }
  auto spec = plan(scenario, verb.c_str(), target, attachment->result);
  if (!spec) return fail(spec);
  auto traced = run_traced(*spec, number);
  if (!traced) return fail(traced);
  if (auto clean = scenario.detach(*attachment); !clean) return fail(clean);
  if (auto clean = scenario.expect_unchanged(*before, "after DEL", target.container_id); !clean)
    return fail(clean);
  if (auto clean = scenario.expect_pod_unchanged(*pod_before, (*pod)->fd(), "after DEL"); !clean)
    return fail(clean);
  if (auto fresh = expect_fresh_add(scenario, in_use); !fresh) return fail(fresh);
  return traced->killed;
}

/// How many changes one complete run of the verb makes.
Result<unsigned> count_changes(Scenario& scenario, const char* verb) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  if (auto gone = scenario.detach(**attached); !gone) return fail(gone);
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  const Target target{scenario.bench.next_name(), (*pod)->path()};
  Attachment* made = scenario.remember({scenario.bench.network(), target, nullptr, (*pod)->fd()});
  auto add = plan(scenario, "ADD", target, nullptr);
  if (!add) return fail(add);
  auto traced = run_traced(*add, std::nullopt);
  if (!traced) return fail(traced);
  if (!traced->end.succeeded()) return unmet("a traced ADD", "success", traced->end.describe());
  if (std::string_view(verb) == "ADD") return traced->changes;
  made->result = json::parse(traced->end.out, nullptr, false);
  auto del = plan(scenario, "DEL", target, made->result);
  if (!del) return fail(del);
  traced = run_traced(*del, std::nullopt);
  if (!traced) return fail(traced);
  return traced->changes;
}

struct KillReport {
  std::string visited;
  std::vector<std::string> found;
};

Result<KillReport> kill_at_each(Scenario& scenario, const char* verb,
                                const std::set<IpNet>& in_use) {
  auto changes = count_changes(scenario, verb);
  if (!changes) return fail(changes);
  const auto numbers = spread(*changes, scenario.bench.settings().kill_points);
  unsigned killed = 0;
  KillReport report;
  for (const unsigned number : numbers) {
    Scenario step(scenario.bench);  // its leftovers do not affect the next step
    auto done = kill_at(step, verb, number, in_use);
    if (done)
      killed += *done ? 1 : 0;
    else
      report.found.push_back(std::string(verb) + " killed before change " + std::to_string(number) +
                             ": " + done.error().what);
  }
  report.visited = std::string(verb) + " " + std::to_string(numbers.size()) + " of " +
                   std::to_string(*changes) + " kill points";
  if (killed + report.found.size() < numbers.size())
    report.visited += " (" + std::to_string(killed) + " came before the end)";
  return report;
}

Verdict killed_at_each_step(Scenario& scenario) {
  auto keeper = scenario.attach();
  if (!keeper) return fail(keeper);
  const auto addresses = result_addresses((*keeper)->result);
  const std::set<IpNet> in_use(addresses.begin(), addresses.end());
  auto keeper_before = scenario.look_at(**keeper);
  if (!keeper_before) return fail(keeper_before);

  std::string visited;
  std::vector<std::string> found;
  for (const char* verb : {"ADD", "DEL"}) {
    auto report = kill_at_each(scenario, verb, in_use);
    if (!report) return fail(report);
    append_word(visited, report->visited);
    found.insert(found.end(), report->found.begin(), report->found.end());
  }
  if (auto same = scenario.expect_pod_unchanged(*keeper_before, (*keeper)->pod_fd, "another pod");
      !same)
    found.push_back(same.error().what);
  if (found.empty()) return visited;
  found.insert(found.begin(), visited + ", " + std::to_string(found.size()) + " left something");
  return failures(found);
}

Verdict parallel_adds(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  std::vector<Target> targets;
  std::vector<int> pods;
  for (std::size_t i = 0; i < kParallelAdds; ++i) {
    auto pod = scenario.new_pod();
    if (!pod) return fail(pod);
    targets.push_back({scenario.bench.next_name(), (*pod)->path()});
    pods.push_back((*pod)->fd());
  }
  std::vector<Result<ChainEnd>> ends(kParallelAdds);
  const Network& network = scenario.bench.network();
  run_parallel(kParallelAdds,
               [&](std::size_t i) { ends[i] = scenario.bench.runner().add(network, targets[i]); });

  std::vector<std::string> found;
  std::set<IpNet> addresses;
  std::vector<Attachment*> made;
  for (std::size_t i = 0; i < kParallelAdds; ++i) {
    if (!ends[i]) return fail(ends[i]);
    made.push_back(scenario.remember({network, targets[i], ends[i]->result, pods[i]}));
    auto result = expect_result(ends[i]->end, network.cni_version, "one of the ADDs");
    if (!result) found.push_back(result.error().what);
    for (const auto& net : result ? result_addresses(*result) : std::vector<IpNet>())
      if (!addresses.insert(net).second) found.push_back(net.str() + " was given out twice");
  }
  run_parallel(kParallelAdds, [&](std::size_t i) {
    ends[i] = scenario.bench.runner().del(network, targets[i], made[i]->result);
  });
  for (std::size_t i = 0; i < kParallelAdds; ++i) {
    auto silent = ends[i] ? expect_silent_success(ends[i]->end, "one of the DELs")
                          : Result<>(std::unexpected(ends[i].error()));
    made[i]->gone = silent.has_value();
    if (!silent) found.push_back(silent.error().what);
  }
  if (auto same = scenario.expect_unchanged(*before, "after all DELs"); !same)
    found.push_back(same.error().what);
  if (!found.empty()) return failures(found);
  return "";
}

constexpr Case kCrashCases[] = {
    {"C23", "killed at each step: DEL leaves nothing, the next ADD works", nullptr, nullptr,
     &killed_at_each_step},
    {"C26", "50 ADDs and DELs in parallel: unique addresses, nothing left", nullptr, nullptr,
     &parallel_adds},
};

}  // namespace

std::span<const Case> crash_cases() { return kCrashCases; }

}  // namespace kubecni::cnicheck
