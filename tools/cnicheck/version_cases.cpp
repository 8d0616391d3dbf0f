// C10 to C12: the versions of the specification.

#include "case.hpp"
#include "result_schema.hpp"

#include <set>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

Verdict unsupported_version(Scenario& scenario) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  for (const char* version : {"99.0.0", "0.0.1", "not-a-version"}) {
    const std::string input =
        scenario.bench.network().with_version(version).input(0, nullptr, nullptr).dump();
    auto end = scenario.bench.runner().run(scenario.bench.type(), "ADD",
                                           {scenario.bench.next_name(), (*pod)->path()}, input);
    if (!end) return fail(end);
    auto error = expect_error(*end, {1}, std::string("cniVersion ") + version);
    if (!error) return fail(error);
  }
  return "";
}

/// ADD and DEL; the result has the shape of the version and an address.
Result<> round_trip(Scenario& scenario, const Network& network) {
  auto attached = scenario.attach(&network);
  if (!attached) return fail(attached);
  if (result_addresses((*attached)->result).empty())
    return unmet("the result", "an address", (*attached)->result.dump());
  return scenario.detach(**attached);
}

/// A configuration without a version is one of 0.1.0.
Verdict version_round_trip(Scenario& scenario) {
  std::vector<std::string> found, visited;
  const auto visit = [&](const std::string& name, const std::string& version) {
    visited.push_back(name);
    auto done = round_trip(scenario, scenario.bench.network().with_version(version));
    if (!done) found.push_back(name + ": " + done.error().what);
  };
  if (scenario.bench.supports("0.1.0")) visit("none", "");
  for (const char* version : kSpecVersions)
    if (scenario.bench.supports(version)) visit(version, version);
  if (!found.empty()) return failures(found);
  if (visited.empty()) return failure(EPROTO, "VERSION lists no version of the specification");
  return joined(visited);
}

/// A DEL of nothing in each version shows whether the list is true.
Result<> compare_with_behaviour(Scenario& scenario) {
  for (const char* version : kSpecVersions) {
    const Network network = scenario.bench.network().with_version(version);
    auto end =
        scenario.bench.runner().run(scenario.bench.type(), "DEL", {scenario.bench.next_name(), ""},
                                    network.input(0, nullptr, nullptr).dump());
    if (!end) return fail(end);
    const std::string what = std::string("DEL with cniVersion ") + version;
    if (scenario.bench.supports(version)) {
      if (auto silent = expect_silent_success(*end, what + ", which is listed"); !silent)
        return fail(silent);
    } else if (auto error = expect_error(*end, {1}, what + ", which is not listed"); !error) {
      return fail(error);
    }
  }
  return {};
}

Verdict version_list(Scenario& scenario) {
  const Bench& bench = scenario.bench;
  auto plan = bench.runner().plan(bench.type(), "VERSION", {"", "", ""}, "");
  if (!plan) return fail(plan);
  for (const bool closed : {false, true}) {
    plan->stdin_closed = closed;
    plan->env = {"CNI_COMMAND=VERSION"};
    auto end = run_process(*plan);
    if (!end) return fail(end);
    const std::string what = closed ? "VERSION with stdin closed" : "VERSION with empty stdin";
    const json reply = json::parse(end->out, nullptr, false);
    if (!end->succeeded() || !reply.is_object() || !reply.contains("cniVersion") ||
        !reply["cniVersion"].is_string() || !reply.contains("supportedVersions") ||
        !reply["supportedVersions"].is_array() || reply["supportedVersions"].empty())
      return unmet(what, "cniVersion and supportedVersions", end->describe());
    const std::set<json> distinct(reply["supportedVersions"].begin(),
                                  reply["supportedVersions"].end());
    if (distinct.size() != reply["supportedVersions"].size())
      return unmet(what, "each version once", end->describe());
  }
  if (auto same = compare_with_behaviour(scenario); !same) return fail(same);
  return joined(bench.versions());
}

constexpr Case kVersionCases[] = {
    {"C10", "an unsupported cniVersion is error 1", nullptr, nullptr, &unsupported_version},
    {"C11", "ADD and DEL work in each listed version; the result has its shape", nullptr, nullptr,
     &version_round_trip},
    {"C12", "VERSION lists exactly what works, and needs no stdin", nullptr, nullptr,
     &version_list},
};

}  // namespace

std::span<const Case> version_cases() { return kVersionCases; }

}  // namespace kubecni::cnicheck
