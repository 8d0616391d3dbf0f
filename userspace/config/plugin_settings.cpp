#include "config/plugin_settings.hpp"

#include "base/json.hpp"
#include "config/check.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

/// "ipam" of "ipam.ranges".
std::string_view top_level(const Setting& setting) {
  return setting.key.substr(0, setting.key.find('.'));
}

std::string first_problem(const json& conf) {
  for (const Setting& setting : kSettings) {
    if (!is_of_plugin(setting)) continue;
    const json& value = member(conf, setting.key);
    if (value.is_null()) continue;
    if (auto problem = problem_of(setting, value); !problem.empty()) return problem;
  }
  return "";
}

/// Reads the settings in `conf`, which first_problem() has checked.
template <typename Target>
void take(const json& conf, const Setting& setting, Target& target) {
  const json& value = member(conf, setting.key);
  if (!value.is_null()) target = value.get<Target>();
}

template <typename Target>
void take(const json& conf, const Setting& setting, std::optional<Target>& target) {
  const json& value = member(conf, setting.key);
  if (!value.is_null()) target = value.get<Target>();
}

void take(const json& conf, const Setting& setting, std::chrono::seconds& target) {
  const json& value = member(conf, setting.key);
  if (!value.is_null()) target = std::chrono::seconds(value.get<unsigned>());
}

void take(const json& conf, const Setting& setting, std::filesystem::path& target) {
  const json& value = member(conf, setting.key);
  if (!value.is_null()) target = value.get<std::string>();
}

/// The values of `Choice` are in the order of the words.
template <typename Choice>
void take_choice(const json& conf, const Setting& setting, Choice& target) {
  const auto words = words_of(setting);
  const auto word = std::ranges::find(words, text_of(member(conf, setting.key)));
  if (word != words.end()) target = static_cast<Choice>(word - words.begin());
}

std::optional<IpNet> network_in(const json& conf, const Setting& setting) {
  return IpNet::parse(text_of(member(conf, setting.key)));
}

/// Conflicts between settings that are valid on their own.
std::string contradiction_in(const PluginSettings& settings, const std::optional<IpNet>& network) {
  const auto& subnet = settings.subnet;
  if (subnet && network && !network->contains(*subnet))
    return "\"subnet\": " + subnet->str() + " is outside \"network\" " + network->str() +
           "; a node's subnet has to be a part of the network";
  if (subnet && !settings.ipam.ranges.empty())
    return "\"subnet\" and \"ipam\" both say which addresses pods get; remove one of them";
  if (!settings.uplink.empty() && settings.bridge == default_of("bridge"))
    return "\"uplink\" needs a bridge of its own: the cluster's pods are on " + settings.bridge +
           "; set \"bridge\" to another name";
  if (!settings.uplink.empty() && settings.is_gateway)
    return "\"uplink\" and \"isGateway\": true contradict each other: each node would take the "
           "address of the gateway in the network behind " +
           settings.uplink + "; remove \"isGateway\"";
  return "";
}

/// What mode ptp cannot be combined with.
std::string contradiction_with_ptp(const PluginSettings& settings) {
  if (settings.mode != PodMode::kPtp) return "";
  if (!settings.uplink.empty())
    return "\"uplink\" is a port of the pods' bridge, and in \"mode\" \"ptp\" there is none; "
           "remove "
           "one of the two";
  if (settings.ipam.type == "dhcp")
    return "\"mode\": \"ptp\" connects pods to no network with a DHCP server; use another "
           "\"ipam\", or \"mode\": \"bridge\"";
  if (!settings.is_gateway)
    return "\"isGateway\": false: in \"mode\" \"ptp\" the node is the pods' gateway; leave the "
           "key out, or use \"mode\": \"bridge\"";
  return "";
}

}  // namespace

bool is_plugin_key(std::string_view key) {
  return std::ranges::any_of(kSettings, [&](const Setting& setting) {
    return is_of_plugin(setting) && top_level(setting) == key;
  });
}

std::vector<std::string> plugin_only_keys() {
  std::vector<std::string> keys;
  for (const Setting& setting : kSettings)
    if (setting.owner == Owner::kPlugin && (keys.empty() || keys.back() != top_level(setting)))
      keys.emplace_back(top_level(setting));
  return keys;
}

Result<PluginSettings> read_plugin_settings(const json& conf) {
  if (auto problem = first_problem(conf); !problem.empty()) return failure(EINVAL, problem);
  PluginSettings settings;
  take(conf, plugin_setting("bridge"), settings.bridge);
  take(conf, plugin_setting("uplink"), settings.uplink);
  take_choice(conf, plugin_setting("mode"), settings.mode);
  take(conf, plugin_setting("mtu"), settings.mtu);
  take_choice(conf, plugin_setting("dataplane"), settings.dataplane);
  take(conf, plugin_setting("stateDir"), settings.state_dir);
  take(conf, plugin_setting("runDir"), settings.run_dir);
  take(conf, plugin_setting("bpffs"), settings.bpffs);
  take(conf, plugin_setting("maxFlows"), settings.max_flows);
  take(conf, plugin_setting("confDir"), settings.conf_dir);
  take_choice(conf, plugin_setting("podHooks"), settings.pod_hooks);
  take(conf, plugin_setting("logLevel"), settings.log_level);
  take(conf, plugin_setting("policyTimeout"), settings.policy_timeout);
  settings.subnet = network_in(conf, plugin_setting("subnet"));
  if (const json& ipam = member(conf, "ipam"); !ipam.is_null()) {
    auto read = parse_ipam_conf(ipam);
    if (!read) return fail(read);
    settings.ipam = std::move(*read);
  }
  const auto network = network_in(conf, plugin_setting("network"));
  // Then the gateway is a router in the network that the bridge is connected to.
  settings.is_gateway = settings.ipam.type != "dhcp" && settings.uplink.empty();
  take(conf, plugin_setting("isGateway"), settings.is_gateway);
  take(conf, plugin_setting("isDefaultGateway"), settings.is_default_gateway);
  if (auto problem = contradiction_in(settings, network); !problem.empty())
    return failure(EINVAL, problem);
  if (auto problem = contradiction_with_ptp(settings); !problem.empty())
    return failure(EINVAL, problem);
  if (const json& dns = member(conf, "dns"); dns.is_object()) settings.dns = dns;
  return settings;
}

}  // namespace kubecni
