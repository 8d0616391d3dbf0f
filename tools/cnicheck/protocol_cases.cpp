// C01 to C05, C13 and C14: the environment, and what goes to stdout.

#include "case.hpp"

#include <tuple>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

std::string own_input(const Scenario& scenario) {
  return scenario.bench.network().input(0, nullptr, nullptr).dump();
}

/// The tested plugin alone, without the rest of the list.
Result<ProcessEnd> run_own(Scenario& scenario, const std::string& verb, const Target& target,
                           const EnvOverrides& overrides = {}) {
  const Bench& bench = scenario.bench;
  return bench.runner().run(bench.type(), verb, target, own_input(scenario), overrides);
}

/// SPEC.md allows an error; the reference library describes itself.
Verdict no_command(Scenario& scenario) {
  auto end = run_own(scenario, "", {"", "", ""},
                     {{"CNI_COMMAND", std::nullopt},
                      {"CNI_CONTAINERID", std::nullopt},
                      {"CNI_NETNS", std::nullopt},
                      {"CNI_IFNAME", std::nullopt}});
  if (!end) return fail(end);
  if (end->succeeded()) {
    if (!end->out.empty() || end->err.empty())
      return unmet("no CNI_COMMAND", "words on stderr alone, or error 4", end->describe());
    return "says what it is on stderr";
  }
  auto error = expect_error(*end, {4}, "no CNI_COMMAND");
  if (!error) return fail(error);
  return "error 4";
}

Verdict unknown_command(Scenario& scenario) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  for (const char* verb : {"FROBNICATE", "add"}) {
    auto end = run_own(scenario, verb, {scenario.bench.next_name(), (*pod)->path()});
    if (!end) return fail(end);
    auto error = expect_error(*end, {4}, std::string("CNI_COMMAND=") + verb);
    if (!error) return fail(error);
  }
  return "";
}

struct Needs {
  const char* verb;
  std::vector<const char*> variables;
};

/// Leaves out each variable, and all: the message has to name each.
Verdict missing_variables(Scenario& scenario) {
  std::vector<Needs> verbs{{"ADD", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
                           {"DEL", {"CNI_CONTAINERID", "CNI_IFNAME"}}};
  if (scenario.bench.require_verb("CHECK", "0.4.0"))
    verbs.push_back({"CHECK", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}});
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  std::vector<std::string> found;
  const auto try_without = [&](const char* verb, const std::vector<const char*>& names,
                               const std::optional<std::string>& value) {
    EnvOverrides overrides;
    std::string what = verb;
    for (const char* name : names) {
      overrides[name] = value;
      what += std::string(value ? " with empty " : " without ") + name;
    }
    auto end = run_own(scenario, verb, {scenario.bench.next_name(), (*pod)->path()}, overrides);
    auto error = end ? expect_error(*end, {4}, what) : std::unexpected(end.error());
    if (!error) return found.push_back(error.error().what);
    for (const char* name : names)
      if (!error->dump().contains(name))
        found.push_back(what + ": the error does not name " + name);
  };
  for (const auto& [verb, variables] : verbs) {
    for (const char* name : variables) {
      try_without(verb, {name}, std::nullopt);
      try_without(verb, {name}, "");
    }
    try_without(verb, variables, std::nullopt);
  }
  if (!found.empty()) return failures(found);
  return "";
}

/// Runs ADD with each wrong `value` of `name`; error 4, and nothing made.
Verdict reject_values(Scenario& scenario, const char* name,
                      std::initializer_list<const char*> values) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  auto before = scenario.look();
  if (!before) return fail(before);
  std::vector<std::string> found;
  for (const char* value : values) {
    const Target target{scenario.bench.next_name(), (*pod)->path()};
    auto end = run_own(scenario, "ADD", target, {{name, value}});
    if (!end) return fail(end);
    const std::string what = std::string("ADD with ") + name + "=\"" + value + "\"";
    if (auto error = expect_error(*end, {4}, what); !error) {
      found.push_back(error.error().what);
      std::ignore = run_own(scenario, "DEL", target, {{name, value}});
    }
  }
  if (auto same = scenario.expect_unchanged(*before, "after the refused ADDs"); !same)
    found.push_back(same.error().what);
  if (!found.empty()) return failures(found);
  return "";
}

Verdict bad_container_id(Scenario& scenario) {
  return reject_values(scenario, "CNI_CONTAINERID",
                       {"-x", ".x", "_x", "a/b", "../x", "a b", "a\nb", "\xc3\xa4", "a:b"});
}

Verdict bad_ifname(Scenario& scenario) {
  auto rejected = reject_values(scenario, "CNI_IFNAME",
                                {"sixteen-letters-", ".", "..", "a/b", "a:b", "a b", "a\tb"});
  if (!rejected) return fail(rejected);
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  const Target longest{scenario.bench.next_name(), (*pod)->path(), "fifteen-letters"};
  auto attached = scenario.attach(scenario.bench.network(), longest, (*pod)->fd());
  if (!attached) return fail(attached, "the longest interface name");
  return "";
}

Verdict stdout_discipline(Scenario& scenario) {
  Bench& bench = scenario.bench;
  auto attached = scenario.attach();
  if (!attached) return fail(attached);
  const auto& [network, target, result, pod_fd, gone] = **attached;
  if (bench.require_verb("CHECK", "0.4.0")) {
    auto chain = bench.runner().check(network, target, result);
    if (!chain) return fail(chain);
    if (auto silent = expect_silent_success(chain->end, "CHECK"); !silent) return fail(silent);
  }
  if (auto silent = scenario.detach(**attached); !silent) return fail(silent);
  if (bench.require_verb("STATUS and GC", "1.1.0")) {
    auto status = bench.runner().status(network);
    if (!status) return fail(status);
    if (auto silent = expect_silent_success(status->end, "STATUS"); !silent) return fail(silent);
    auto gc = bench.runner().gc(network, {{"cni.dev/valid-attachments", json::array()}});
    if (!gc) return fail(gc);
    if (auto silent = expect_silent_success(gc->end, "GC"); !silent) return fail(silent);
  }
  for (const char* verb : {"ADD", "CHECK", "nonsense"}) {
    auto end = run_own(scenario, verb, {bench.next_name(), "/run/netns/no-such-namespace"});
    if (!end) return fail(end);
    if (auto error = expect_error(*end, {}, std::string("a failing ") + verb); !error)
      return fail(error);
  }
  return "";
}

/// The usual names of a log level key; plugins ignore unknown keys.
Verdict only_json_when_verbose(Scenario& scenario) {
  for (const char* level : {"debug", "error"}) {
    Network network = scenario.bench.network();
    for (const char* key : {"logLevel", "log_level", "loglevel"}) network.plugins[0][key] = level;
    network.plugins[0]["debug"] = true;
    auto attached = scenario.attach(&network);
    if (!attached) return fail(attached, std::string("level ") + level);
    if (auto gone = scenario.detach(**attached); !gone)
      return fail(gone, std::string("level ") + level);
  }
  return "";
}

constexpr Case kProtocolCases[] = {
    {"C01", "no CNI_COMMAND: a description on stderr, or error 4", nullptr, nullptr, &no_command},
    {"C02", "an unknown command is error 4", nullptr, nullptr, &unknown_command},
    {"C03", "each missing variable is error 4 and named", nullptr, nullptr, &missing_variables},
    {"C04", "a wrong container id is error 4", nullptr, nullptr, &bad_container_id},
    {"C05", "a wrong interface name is error 4, 15 letters work", nullptr, nullptr, &bad_ifname},
    {"C13", "stdout: one object on failure, empty on silent verbs", nullptr, nullptr,
     &stdout_discipline},
    {"C14", "nothing but JSON on stdout at any log level", nullptr, nullptr,
     &only_json_when_verbose},
};

}  // namespace

std::span<const Case> protocol_cases() { return kProtocolCases; }

}  // namespace kubecni::cnicheck
