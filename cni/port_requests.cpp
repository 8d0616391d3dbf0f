#include "base/json.hpp"
#include "requests.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

using nlohmann::json;

namespace {

constexpr unsigned kLastPort = 65535;

std::unexpected<CniError> bad_mapping(const std::string& where, const json& value,
                                      const std::string& wanted) {
  return cni_error(CniCode::kInvalidConfig, "ADD: " + where + " is " + shown(value), wanted);
}

/// 0 if there is none.
CniResult<std::uint16_t> port_in(const json& entry, const char* key, const std::string& where) {
  const json& value = member_like_go(entry, key);
  if (value.is_null()) return 0;
  const auto port = unsigned_of(value);
  if (!port || *port > kLastPort)
    return bad_mapping(where + "." + key, value, "give a port, a number from 1 to 65535");
  return static_cast<std::uint16_t>(*port);
}

CniResult<PortProtocol> protocol_in(const json& entry, const std::string& where) {
  const json& value = member_like_go(entry, "protocol");
  if (value.is_null() || value == "") return PortProtocol::kTcp;
  const auto protocol = protocol_of(text_of(value));
  if (!protocol) return bad_mapping(where + ".protocol", value, "give tcp, udp or sctp");
  return *protocol;
}

CniResult<std::optional<IpAddr>> host_ip_in(const json& entry, const std::string& where) {
  const json& value = member_like_go(entry, "hostIP");
  if (value.is_null() || value == "") return std::nullopt;
  const auto host_ip = IpAddr::parse(text_of(value));
  if (!host_ip)
    return bad_mapping(where + ".hostIP", value,
                       "give an address of the node, or none for all of its addresses");
  return host_ip;
}

CniResult<PortMapping> mapping_in(const json& entry, const std::string& where) {
  if (!entry.is_object())
    return bad_mapping(where, entry, "give an object with hostPort and containerPort");
  auto host_port = port_in(entry, "hostPort", where);
  if (!host_port) return std::unexpected(host_port.error());
  if (*host_port == 0) return PortMapping{};
  auto pod_port = port_in(entry, "containerPort", where);
  if (!pod_port) return std::unexpected(pod_port.error());
  if (*pod_port == 0)
    return bad_mapping(where + ".containerPort", member_like_go(entry, "containerPort"),
                       "give a port, a number from 1 to 65535");
  auto protocol = protocol_in(entry, where);
  if (!protocol) return std::unexpected(protocol.error());
  auto host_ip = host_ip_in(entry, where);
  if (!host_ip) return std::unexpected(host_ip.error());
  return PortMapping{
      .protocol = *protocol, .host_port = *host_port, .pod_port = *pod_port, .host_ip = *host_ip};
}

}  // namespace

CniResult<std::vector<PortMapping>> read_port_mappings(const json& runtime_config) {
  const std::string key = "runtimeConfig.portMappings";
  const json& list = member_like_go(runtime_config, "portMappings");
  std::vector<PortMapping> mappings;
  if (list.is_null()) return mappings;
  if (!list.is_array()) return bad_mapping(key, list, "give a list");
  std::map<HostPort, std::uint16_t> taken;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = key + "[" + std::to_string(i) + "]";
    auto mapping = mapping_in(list[i], where);
    if (!mapping) return std::unexpected(mapping.error());
    if (mapping->host_port == 0) continue;
    bool is_new = false;
    for (const HostPort& port : host_ports_of({*mapping})) {
      const auto [known, added] = taken.emplace(port, mapping->pod_port);
      is_new = is_new || added;
      if (known->second != mapping->pod_port)
        return cni_error(CniCode::kInvalidConfig,
                         "ADD: " + where + ": the host's " + port.str() + " leads to port " +
                             std::to_string(known->second) + " of the pod already",
                         "give another hostPort, or another hostIP");
    }
    if (is_new) mappings.push_back(*mapping);
  }
  return mappings;
}

}  // namespace kubecni
