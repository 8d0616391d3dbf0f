// C06 to C09, C15 and C16: what comes on standard input.

#include "case.hpp"

#include <tuple>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

constexpr std::size_t kManyBytes = 1 << 20;

/// ADD with `input` must fail with one of `codes`, and make nothing.
Result<> reject_input(Scenario& scenario, const std::string& input,
                      std::initializer_list<unsigned> codes, const std::string& what) {
  auto pod = scenario.new_pod();
  if (!pod) return fail(pod);
  auto before = scenario.look();
  if (!before) return fail(before);
  const Target target{scenario.bench.next_name(), (*pod)->path()};
  auto end = scenario.bench.runner().run(scenario.bench.type(), "ADD", target, input);
  if (!end) return fail(end);
  if (end->succeeded())  // then it is an attachment that has to go
    std::ignore = scenario.bench.runner().del(scenario.bench.network(), target, nullptr);
  if (auto error = expect_error(*end, codes, what); !error) return fail(error);
  return scenario.expect_unchanged(*before, what, target.container_id);
}

Verdict empty_stdin(Scenario& scenario) {
  if (auto refused = reject_input(scenario, "", {6}, "empty stdin"); !refused) return fail(refused);
  return "";
}

Verdict garbage(Scenario& scenario) {
  const std::string conf = scenario.bench.network().input(0, nullptr, nullptr).dump();
  const std::pair<const char*, std::string> inputs[] = {
      {"a word", "garbage"},
      {"one brace", "{"},
      {"half a configuration", conf.substr(0, conf.size() / 2)},
      {"a configuration without its last byte", conf.substr(0, conf.size() - 1)},
      {"words behind a configuration", conf + " garbage"},
      {"a zero byte before a configuration", std::string(1, '\0') + conf},
  };
  std::vector<std::string> found;
  for (const auto& [what, input] : inputs)
    if (auto refused = reject_input(scenario, input, {6}, what); !refused)
      found.push_back(refused.error().what);
  for (const char* value : {"[]", "\"text\"", "17"})
    if (auto refused = reject_input(scenario, value, {6, 7}, std::string("stdin ") + value);
        !refused)
      found.push_back(refused.error().what);
  if (!found.empty()) return failures(found);
  return "";
}

Verdict no_name(Scenario& scenario) {
  json conf = scenario.bench.network().input(0, nullptr, nullptr);
  conf.erase("name");
  if (auto refused = reject_input(scenario, conf.dump(), {7}, "no name"); !refused)
    return fail(refused);
  conf["name"] = "";
  if (auto refused = reject_input(scenario, conf.dump(), {7}, "an empty name"); !refused)
    return fail(refused);
  return "";
}

Verdict bad_name(Scenario& scenario) {
  std::vector<std::string> found;
  for (const char* name : {"a/b", "../x", ".x", "-x", "a b", "a\nb", "\xc3\xa4"}) {
    json conf = scenario.bench.network().input(0, nullptr, nullptr);
    conf["name"] = name;
    if (auto refused =
            reject_input(scenario, conf.dump(), {7}, std::string("name \"") + name + "\"");
        !refused)
      found.push_back(refused.error().what);
  }
  if (!found.empty()) return failures(found);
  return "";
}

Result<> attach_and_detach(Scenario& scenario, const Network& network) {
  auto attached = scenario.attach(&network);
  if (!attached) return fail(attached);
  return scenario.detach(**attached);
}

Verdict unknown_keys(Scenario& scenario) {
  Network network = scenario.bench.network();
  network.plugins[0]["cnicheck.example/unknown"] = {{"a", {1, {{"b", nullptr}}, "\xc3\xa4"}}};
  network.plugins[0]["args"] = {{"cni", {{"cnicheckUnknown", true}}}, {"other", json::object()}};
  if (auto done = attach_and_detach(scenario, network); !done) return fail(done);
  return "";
}

Verdict large_input(Scenario& scenario) {
  Network network = scenario.bench.network();
  network.plugins[0]["cnicheck.example/padding"] = std::string(kManyBytes, 'x');
  if (auto done = attach_and_detach(scenario, network); !done) return fail(done);
  return "";
}

constexpr Case kInputCases[] = {
    {"C06", "empty stdin is error 6", nullptr, nullptr, &empty_stdin},
    {"C07", "garbage and truncated JSON are error 6", nullptr, nullptr, &garbage},
    {"C08", "no network name is error 7", nullptr, nullptr, &no_name},
    {"C09", "a wrong network name is error 7", nullptr, nullptr, &bad_name},
    {"C15", "unknown keys are accepted", nullptr, nullptr, &unknown_keys},
    {"C16", "1 MB of stdin works", nullptr, nullptr, &large_input},
};

}  // namespace

std::span<const Case> input_cases() { return kInputCases; }

}  // namespace kubecni::cnicheck
