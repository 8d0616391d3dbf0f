#include "requests.hpp"

#include "base/json.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

std::vector<std::string> strings_in(const json& object, const char* key) {
  const json& found = member_like_go(object, key);
  if (found.is_null()) return {};
  std::vector<std::string> all;
  for (const json& entry : found.is_array() ? found : json::array({found}))
    all.push_back(entry.is_string() ? entry.get<std::string>() : shown(entry));
  return all;
}

/// The first source that has a value.
std::vector<std::string> first_said(const CniEnv& env, const NetConf& conf, const char* json_key,
                                    const char* args_key) {
  for (const json* place : {&conf.runtime_config, &conf.cni_args}) {
    if (auto said = strings_in(*place, json_key); !said.empty()) return said;
  }
  const std::string value = env.arg(args_key);
  return value.empty() ? std::vector<std::string>{} : std::vector{value};
}

}  // namespace

CniResult<PodRequests> read_requests(const CniEnv& env, const NetConf& conf) {
  PodRequests requests;
  for (const auto& text : first_said(env, conf, "ips", "IP")) {
    // With or without a prefix length: the subnet's own is used.
    const auto address = IpAddr::parse(text.substr(0, text.find('/')));
    if (!address)
      return cni_error(CniCode::kInvalidConfig,
                       "ADD: the requested address \"" + text + "\" is not an address");
    requests.addresses.push_back(*address);
  }
  for (const auto& text : first_said(env, conf, "mac", "MAC")) {
    requests.mac = MacAddr::parse(text);
    if (!requests.mac || (requests.mac->bytes[0] & 1) != 0 || *requests.mac == MacAddr{})
      return cni_error(CniCode::kInvalidConfig,
                       "ADD: the requested MAC \"" + text + "\" is not a unicast Ethernet address");
  }
  auto bandwidth = read_bandwidth(conf.runtime_config);
  if (!bandwidth) return std::unexpected(bandwidth.error());
  requests.bandwidth = *bandwidth;
  auto mappings = read_port_mappings(conf.runtime_config);
  if (!mappings) return std::unexpected(mappings.error());
  requests.mappings = std::move(*mappings);
  return requests;
}

}  // namespace kubecni
