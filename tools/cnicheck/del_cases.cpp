// C40 to C48: DEL.

#include "case.hpp"
#include "parallel.hpp"
#include "pool.hpp"

#include <array>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

constexpr int kRaceRounds = 10;

Verdict twice(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  for (const char* which : {"the first DEL", "the second DEL"})
    if (auto gone = scenario.detach(**attached); !gone) return fail(gone, which);
  if (auto same = scenario.expect_unchanged(*before, "after DEL", (*attached)->target.container_id);
      !same)
    return fail(same);
  return "";
}

Result<> detach_thrice(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  std::array<Result<ChainEnd>, 3> ends;
  run_parallel(ends.size(), [&](std::size_t i) {
    ends[i] =
        scenario.bench.runner().del((*attached)->network, (*attached)->target, (*attached)->result);
  });
  for (auto& chain : ends) {
    if (!chain) return fail(chain);
    if (auto silent = expect_silent_success(chain->end, "one of three DELs"); !silent)
      return fail(silent);
  }
  (*attached)->gone = true;
  return {};
}

/// A race does not fail each time.
Verdict thrice_in_parallel(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  for (int round = 1; round <= kRaceRounds; ++round)
    if (auto done = detach_thrice(scenario); !done)
      return fail(done, "round " + std::to_string(round));
  if (auto same = scenario.expect_unchanged(*before, "after DEL"); !same) return fail(same);
  return "";
}

/// The pod's namespace has gone; DEL comes with `netns` and `prev_result`.
Result<> detach_without_pod(Scenario& scenario, bool with_path, bool with_prev_result) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  Target target{scenario.bench.next_name(), (*pod)->path()};
  auto attached = scenario.attach(scenario.bench.network(), target, (*pod)->fd());
  if (!attached) return fail(attached);
  (*pod)->remove();
  if (!with_path) target.netns = "";
  auto gone = scenario.detach(**attached, target, with_prev_result ? (*attached)->result : json());
  if (!gone) return fail(gone);
  return scenario.expect_unchanged(*before, "after DEL", target.container_id);
}

Verdict no_netns(Scenario& scenario) {
  for (const bool with_prev_result : {true, false})
    if (auto done = detach_without_pod(scenario, false, with_prev_result); !done)
      return fail(done, with_prev_result ? "CNI_NETNS empty" : "CNI_NETNS empty, no prevResult");
  return "";
}

Verdict path_of_another_pod(Scenario& scenario) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  const Target old_one{scenario.bench.next_name(), (*pod)->path()};
  auto old_attached = scenario.attach(scenario.bench.network(), old_one, (*pod)->fd());
  if (!old_attached) return fail(old_attached);
  if (auto replaced = (*pod)->replace(); !replaced) return fail(replaced);
  const Target new_one{scenario.bench.next_name(), (*pod)->path()};
  auto new_attached = scenario.attach(scenario.bench.network(), new_one, (*pod)->fd());
  if (!new_attached) return fail(new_attached, "the new pod at the path");
  auto before = scenario.look_at(**new_attached);
  if (!before) return fail(before);
  if (auto gone = scenario.detach(**old_attached); !gone) return fail(gone, "of the old pod");
  if (auto same = scenario.expect_pod_unchanged(*before, (*pod)->fd(), "the new pod at the path");
      !same)
    return fail(same);
  return "";
}

Verdict no_prev_result(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  const Target target = (*attached)->target;
  if (auto gone = scenario.detach(**attached, target, nullptr); !gone) return fail(gone);
  if (auto same = scenario.expect_unchanged(*before, "after DEL", target.container_id); !same)
    return fail(same);
  return "";
}

/// Without state files: fills the pool twice, and compares the number of addresses.
Verdict address_released(Scenario& scenario) {
  if (auto done = detach_without_pod(scenario, true, true); !done) return fail(done);
  if (!scenario.bench.settings().state_dirs.empty()) return "judged by the files in --state-dir";
  std::size_t sizes[2];
  for (auto& size : sizes) {
    Scenario round(scenario.bench);
    auto filled = fill_pool(round);
    if (!filled) return fail(filled);
    size = filled->size();
    for (auto* one : *filled) {
      auto found =
          round.bench.runner().del(one->network, {one->target.container_id, ""}, one->result);
      if (!found) return fail(found);
    }
  }
  if (sizes[0] != sizes[1])
    return unmet("the second time", std::to_string(sizes[0]) + " addresses",
                 std::to_string(sizes[1]));
  return std::to_string(sizes[0]) + " addresses, twice";
}

Verdict daemon_down(Scenario& scenario) {
  for (const char* hook : {"daemon-stop", "daemon-start"})
    if (auto given = scenario.bench.require_hook(hook); !given) return fail(given);
  auto before = scenario.look();
  if (!before) return fail(before);
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  if (auto stopped = scenario.bench.run_hook("daemon-stop"); !stopped) return fail(stopped);
  auto gone = scenario.detach(**attached);
  auto same = scenario.expect_unchanged(*before, "after DEL", (*attached)->target.container_id);
  if (auto started = scenario.bench.run_hook("daemon-start"); !started) return fail(started);
  if (!gone) return fail(gone);
  if (!same) return fail(same);
  return "";
}

Verdict state_deleted(Scenario& scenario) {
  if (auto given = scenario.bench.require_hook("delete-state"); !given) return fail(given);
  auto before = KernelSnapshot::take(scenario.bench.node().fd());
  if (!before) return fail(before);
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  const std::string id = (*attached)->target.container_id;
  if (auto deleted = scenario.bench.run_hook("delete-state", id); !deleted) return fail(deleted);
  auto gone = scenario.detach(**attached);
  auto same = scenario.expect_kernel_unchanged(*before, "after DEL");
  scenario.bench.warm_up();
  if (!gone) return fail(gone);
  if (!same) return fail(same);
  return "";
}

Verdict never_added(Scenario& scenario) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  for (const std::string& netns :
       {std::string(), (*pod)->path(), std::string("/run/netns/cnicheck-none")}) {
    Attachment nothing{scenario.bench.network(), {scenario.bench.next_name(), netns}, nullptr};
    if (auto gone = scenario.detach(nothing); !gone)
      return fail(gone, "with CNI_NETNS=\"" + netns + "\"");
    if (auto same = scenario.expect_unchanged(*before, "after it", nothing.target.container_id);
        !same)
      return fail(same);
  }
  return "";
}

constexpr Case kDelCases[] = {
    {"C40", "DEL twice succeeds and leaves nothing", nullptr, nullptr, &twice},
    {"C41", "DEL three times in parallel succeeds", nullptr, nullptr, &thrice_in_parallel},
    {"C42", "DEL without CNI_NETNS after the namespace is gone", nullptr, nullptr, &no_netns},
    {"C43", "DEL does not harm another pod that has the path now", nullptr, nullptr,
     &path_of_another_pod},
    {"C44", "DEL without prevResult", nullptr, nullptr, &no_prev_result},
    {"C45", "DEL releases the address even if the namespace is gone", nullptr, nullptr,
     &address_released},
    {"C46", "DEL while the daemon is down", nullptr, nullptr, &daemon_down},
    {"C47", "DEL after the state folder was deleted", nullptr, nullptr, &state_deleted},
    {"C48", "DEL of what was never added succeeds", nullptr, nullptr, &never_added},
};

}  // namespace

std::span<const Case> del_cases() { return kDelCases; }

}  // namespace kubecni::cnicheck
