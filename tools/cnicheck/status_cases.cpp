// C60 to C64: STATUS.

#include "case.hpp"
#include "pool.hpp"
#include "test_plugins.hpp"

#include <functional>

namespace kubecni::cnicheck {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAtOnce{100};

Result<ProcessEnd> status(Scenario& scenario) {
  auto chain = scenario.bench.runner().status(scenario.bench.network());
  if (!chain) return fail(chain);
  return std::move(chain->end);
}

Verdict ready(Scenario& scenario) {
  auto end = status(scenario);
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "STATUS"); !well) return fail(well);
  return std::to_string(std::chrono::ceil<milliseconds>(end->took).count()) + " ms";
}

/// STATUS between the hooks `harm` and `heal`; then checks `also`.
Result<ProcessEnd> status_while(
    Scenario& scenario, const char* harm, const char* heal,
    const std::function<void()>& also = [] {}) {
  for (const char* hook : {harm, heal})
    if (auto given = scenario.bench.require_hook(hook); !given) return fail(given);
  if (auto done = scenario.bench.run_hook(harm); !done) return fail(done);
  auto end = status(scenario);
  also();
  if (auto done = scenario.bench.run_hook(heal); !done) return fail(done);
  return end;
}

/// STATUS must predict the next ADD: some plugins need no daemon.
Verdict daemon_dead(Scenario& scenario) {
  bool add_works = false;
  auto end = status_while(scenario, "daemon-stop", "daemon-start",
                          [&] { add_works = scenario.attach().has_value(); });
  if (!end) return fail(end);
  const std::string what = add_works ? "STATUS without the daemon, when ADD works without it"
                                     : "STATUS without the daemon, when ADD fails without it";
  if (add_works) {
    if (auto well = expect_silent_success(*end, what); !well) return fail(well);
  } else if (auto error = expect_error(*end, {50}, what); !error) {
    return fail(error);
  }
  const auto took = std::chrono::ceil<milliseconds>(end->took);
  if (took >= kAtOnce)
    return unmet("STATUS without the daemon", "an answer within 100 ms",
                 std::to_string(took.count()) + " ms");
  return std::to_string(took.count()) + (add_works ? " ms, ADD works" : " ms, ADD fails");
}

Verdict pool_exhausted(Scenario& scenario) {
  auto filled = fill_pool(scenario);
  if (!filled) return fail(filled);
  auto end = status(scenario);
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "STATUS with a full pool"); !well) return fail(well);
  if (filled->empty()) return failure(EPROTO, "the pool gave out no address at all");
  if (auto gone = scenario.detach(*filled->front()); !gone) return fail(gone);
  end = status(scenario);
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "STATUS after one DEL"); !well) return fail(well);
  return std::to_string(filled->size()) + " addresses";
}

Verdict delegate_fails(Scenario& scenario) {
  const Bench& bench = scenario.bench;
  const bool own = bench.network().plugins.front().contains("ipam");
  auto network = own ? Result<Network>(bench.network())
                     : bench.other_network(bench.settings().ipam_conf, "--ipam-conf");
  if (!network) return fail(network);
  network->plugins.front()["ipam"] = {{"type", kIpamPlugin}, {"statusCode", 50}};
  auto chain = bench.runner().status(*network);
  if (!chain) return fail(chain);
  if (auto error = expect_error(chain->end, {50}, "STATUS when the delegate says 50"); !error)
    return fail(error);
  return "";
}

Verdict dataplane_detached(Scenario& scenario) {
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  auto end = status_while(scenario, "detach-dataplane", "attach-dataplane");
  if (!end) return fail(end);
  if (auto well = expect_silent_success(*end, "STATUS with the dataplane detached"); !well)
    return fail(well);
  return "";
}

constexpr Case kStatusCases[] = {
    {"C60", "STATUS of a plugin that is ready succeeds", "STATUS", "1.1.0", &ready},
    {"C61", "STATUS without the daemon is 50 if ADD fails, within 100 ms", "STATUS", "1.1.0",
     &daemon_dead},
    {"C62", "STATUS with a full pool succeeds, since DEL frees addresses", "STATUS", "1.1.0",
     &pool_exhausted},
    {"C63", "STATUS passes on the delegate's error", "STATUS", "1.1.0", &delegate_fails},
    {"C64", "STATUS with the dataplane detached succeeds, since pods go on", "STATUS", "1.1.0",
     &dataplane_detached},
};

}  // namespace

std::span<const Case> status_cases() { return kStatusCases; }

}  // namespace kubecni::cnicheck
