// C80 and C81: first, in the middle and last of a list.

#include "case.hpp"
#include "result_schema.hpp"
#include "test_plugins.hpp"

#include <algorithm>
#include <array>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

/// A reference plugin to be chained with, and a configuration that gives it work.
struct Partner {
  const char* type;
  json conf;
  bool before;       ///< works also before the plugin that makes the interface
  const char* tool;  ///< a tool that it executes, or null
};

std::vector<Partner> partners() {
  return {
      {"tuning", {{"type", "tuning"}}, true, nullptr},
      {"bandwidth",
       {{"type", "bandwidth"},
        {"ingressRate", 8000000},
        {"ingressBurst", 8000000},
        {"egressRate", 8000000},
        {"egressBurst", 8000000}},
       false,
       nullptr},
      {"portmap",
       {{"type", "portmap"},
        {"runtimeConfig",
         {{"portMappings", {{{"hostPort", 18080}, {"containerPort", 80}, {"protocol", "tcp"}}}}}}},
       false,
       "iptables"},
      {"firewall", {{"type", "firewall"}, {"backend", "iptables"}}, false, "iptables"},
      {"sbr", {{"type", "sbr"}}, false, nullptr},
  };
}

/// Calls CHECK of the tested plugin alone, at its place in the list. A partner's CHECK does not
/// count: portmap 1.1.1 misses a chain that it never makes.
Result<> check_own(Scenario& scenario, const Attachment& attachment) {
  const Network& network = attachment.network;
  for (std::size_t i = 0; i < network.plugins.size(); ++i) {
    if (network.type(i) != scenario.bench.type()) continue;
    const std::string input = network.input(i, attachment.result, nullptr).dump();
    auto end = scenario.bench.runner().run(network.type(i), "CHECK", attachment.target, input);
    if (!end) return fail(end);
    if (auto well = expect_silent_success(*end, "CHECK"); !well) return fail(well);
  }
  return {};
}

/// An attachment through the whole list: ADD, CHECK and DEL work, the result has the pod's
/// interface, and DEL removes the links, addresses and routes.
Result<> live_through(Scenario& scenario, const Network& network) {
  auto before = scenario.look();
  if (!before) return fail(before);
  auto attached = scenario.attach(&network);
  if (!attached) return fail(attached);
  const auto& target = (*attached)->target;
  const json& result = (*attached)->result;
  if (result_interface(result, target.ifname, target.netns).is_null() ||
      result_addresses(result).empty())
    return unmet("the final result", "the pod's eth0 with an address", result.dump());
  if (scenario.bench.require_verb("CHECK", "0.4.0"))
    if (auto well = check_own(scenario, **attached); !well) return fail(well);
  if (auto gone = scenario.detach(**attached); !gone) return fail(gone);
  return scenario.expect_unchanged(*before, "after DEL", target.container_id);
}

/// The newest version that the network, the plugin and the partner support; empty if there is none,
/// or if the partner or its tool is missing.
std::string common_version(const Scenario& scenario, const Partner& partner) {
  const Bench& bench = scenario.bench;
  if (!bench.runner().has(partner.type)) return "";
  if (partner.tool && !run_process({.program = partner.tool, .args = {"--version"}})) return "";
  const auto answer = bench.runner().version(partner.type, "{\"cniVersion\":\"1.0.0\"}");
  std::string newest;
  for (const char* version : kSpecVersions)
    if (is_at_least(version, "0.3.0") && is_at_least(bench.network().cni_version, version) &&
        bench.supports(version) && answer &&
        answer->out.contains(std::string("\"") + version + "\""))
      newest = version;
  return newest;
}

/// The network with `before` and `after` around the tested plugin alone.
Network around(const Network& network, std::vector<json> before, const std::vector<json>& after) {
  Network list = network;
  before.push_back(network.plugins.front());
  before.insert(before.end(), after.begin(), after.end());
  list.plugins = std::move(before);
  return list;
}

/// The tested plugin at one place of a list, and the result.
struct Attempt {
  std::string name;
  Network network;
};

std::vector<Attempt> attempts(const Scenario& scenario) {
  const Network& own = scenario.bench.network();
  const json first{{"type", kFirstPlugin}};
  std::vector<Attempt> list{{"last", around(own, {first}, {})}};
  for (const auto& partner : partners()) {
    const std::string version = common_version(scenario, partner);
    if (version.empty()) continue;
    const Network network = own.with_version(version);
    const std::string name = partner.type;
    list.push_back({"first with " + name, around(network, {}, {partner.conf})});
    list.push_back({"middle with " + name, around(network, {first}, {partner.conf})});
    if (partner.before)
      list.push_back({"last with " + name, around(network, {first, partner.conf}, {})});
  }
  return list;
}

Verdict each_position(Scenario& scenario) {
  const auto list = attempts(scenario);
  if (list.size() == 1)
    return not_applicable("no partner plugin in --plugin-dir or --ipam-dir knows a common version");
  std::vector<std::string> found;
  for (const auto& [name, network] : list) {
    Scenario step(scenario.bench);
    if (auto done = live_through(step, network); !done)
      found.push_back(name + ": " + done.error().what);
  }
  if (!found.empty()) return failures(found);
  return std::to_string(list.size()) + " lists";
}

/// Earlier entries stay in the result, and each index still fits.
Verdict prev_result_passes(Scenario& scenario) {
  if (!is_at_least(scenario.bench.network().cni_version, "0.3.0"))
    return not_applicable("there is no prevResult before 0.3.0");
  const Network list = around(scenario.bench.network(), {{{"type", kFirstPlugin}}}, {});
  auto attached = scenario.attach(&list);
  if (!attached) return fail(attached);
  const json& result = (*attached)->result;
  std::vector<std::string> found;
  const json kept = result_interface(result, "cnicheck0", "");
  if (kept.is_null() || kept.value("mac", "") != "02:00:00:00:00:01")
    found.emplace_back("prevResult's interface cnicheck0 is not in the result");
  if (result.value("dns", json::object()).value("nameservers", json()) !=
      json::array({"192.0.2.53"}))
    found.emplace_back("prevResult's dns is not in the result");
  for (const auto& ip : result.value("ips", json::array())) {
    if (!ip.contains("interface")) continue;
    const json interface = result["interfaces"][ip["interface"].get<std::size_t>()];
    if (interface.value("sandbox", "") != (*attached)->target.netns)
      found.push_back("an address has the index of another interface: " + result.dump());
  }
  if (!found.empty()) return failures(found);
  return "";
}

constexpr Case kChainCases[] = {
    {"C80", "works first, in the middle and last of a list", nullptr, nullptr, &each_position},
    {"C81", "prevResult passes through", nullptr, nullptr, &prev_result_passes},
};

}  // namespace

std::span<const Case> chain_cases() { return kChainCases; }

}  // namespace kubecni::cnicheck
