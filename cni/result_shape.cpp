#include "result_shape.hpp"

#include "base/ip.hpp"
#include "base/json.hpp"

#include <cerrno>
#include <cstdint>
#include <string>

namespace kubecni {

using nlohmann::json;

namespace {

std::unexpected<Error> wrong(const std::string& where, const json& value, const char* wanted) {
  return failure(EINVAL, where + ": " + shown(value) + " is not " + wanted);
}

/// The list at `key`; an absent one, and Go's null, is empty.
Result<json> list_in(const json& object, const char* key) {
  const json& list = member(object, key);
  if (list.is_null()) return json::array();
  if (!list.is_array()) return wrong(key, list, "a list");
  for (const json& entry : list) {
    if (!entry.is_object()) return wrong(key, entry, "an object");
  }
  return list;
}

Result<> check_net(const json& entry, const char* key) {
  if (IpNet::parse(text_of(member(entry, key)))) return {};
  return wrong(key, member(entry, key), "an address with a prefix length");
}

/// May be absent or empty.
Result<> check_addr(const json& entry, const char* key) {
  const json& value = member(entry, key);
  if (value.is_null() || value == "" || IpAddr::parse(text_of(value))) return {};
  return wrong(key, value, "an address");
}

Result<> check_interface_index(const json& ip, std::size_t interfaces) {
  const json& index = member(ip, "interface");
  if (index.is_null()) return {};
  if (index.is_number_unsigned() && index < interfaces) return {};
  return wrong("interface", index, "the index of an interface of the result");
}

Result<> check_routes(const json& routes) {
  for (const json& route : routes) {
    if (auto checked = check_net(route, "dst"); !checked) return fail(checked, "routes");
    if (auto checked = check_addr(route, "gw"); !checked) return fail(checked, "routes");
  }
  return {};
}

/// Before 0.3.0: an object per family, with its own routes.
Result<json> lists_of_flat(const json& result) {
  json lists{{"interfaces", json::array()}, {"ips", json::array()}, {"routes", json::array()}};
  for (const char* family : {"ip4", "ip6"}) {
    const json& flat = member(result, family);
    if (flat.is_null()) continue;
    if (!flat.is_object()) return wrong(family, flat, "an object");
    json ip{{"address", member(flat, "ip")}};
    if (!member(flat, "gateway").is_null()) ip["gateway"] = member(flat, "gateway");
    lists["ips"].push_back(ip);
    auto routes = list_in(flat, "routes");
    if (!routes) return fail(routes, family);
    for (const json& route : *routes) lists["routes"].push_back(route);
  }
  return lists;
}

Result<json> lists_of(const json& result) {
  if (result.contains("ip4") || result.contains("ip6")) return lists_of_flat(result);
  json lists = json::object();
  for (const char* key : {"interfaces", "ips", "routes"}) {
    auto list = list_in(result, key);
    if (!list) return list;
    lists[key] = std::move(*list);
  }
  return lists;
}

Result<> check_interfaces(const json& interfaces) {
  for (const json& interface : interfaces) {
    if (text_of(member(interface, "name")).empty())
      return wrong("interfaces", interface, "an interface with a name");
  }
  return {};
}

Result<> check_ips(const json& ips, std::size_t interfaces) {
  for (const json& ip : ips) {
    if (auto checked = check_net(ip, "address"); !checked) return fail(checked, "ips");
    if (auto checked = check_addr(ip, "gateway"); !checked) return fail(checked, "ips");
    if (auto checked = check_interface_index(ip, interfaces); !checked) return fail(checked, "ips");
  }
  return {};
}

bool is_of_family(const json& entry, const char* key, bool v4) {
  const auto net = IpNet::parse(text_of(member(entry, key)));
  return net && net->addr.is_v4() == v4;
}

/// The first address of the family, with the family's routes; null without one.
json flat_of(const json& result, bool v4) {
  for (const json& ip : result["ips"]) {
    if (!is_of_family(ip, "address", v4)) continue;
    json flat{{"ip", ip["address"]}};
    if (ip.contains("gateway")) flat["gateway"] = ip["gateway"];
    for (const json& route : result["routes"]) {
      if (!is_of_family(route, "dst", v4)) continue;
      json plain{{"dst", route["dst"]}};
      if (route.contains("gw")) plain["gw"] = route["gw"];
      flat["routes"].push_back(plain);
    }
    return flat;
  }
  return nullptr;
}

Result<json> flat_result(const json& result) {
  json flat{{"cniVersion", result["cniVersion"]}, {"dns", result["dns"]}};
  for (const auto& [key, v4] : {std::pair{"ip4", true}, {"ip6", false}}) {
    if (json family = flat_of(result, v4); !family.is_null()) flat[key] = std::move(family);
  }
  if (!flat.contains("ip4") && !flat.contains("ip6"))
    return failure(EINVAL, "there is no address, and cniVersion " +
                               result["cniVersion"].get<std::string>() + " has to have one");
  return flat;
}

void drop_keys(json& list, const std::initializer_list<const char*>& keys) {
  for (json& entry : list) {
    for (const char* key : keys) entry.erase(key);
  }
}

}  // namespace

Result<json> upgrade_result(const json& result) {
  if (!result.is_object()) return wrong("result", result, "an object");
  auto lists = lists_of(result);
  if (!lists) return lists;
  json upgraded = std::move(*lists);
  if (auto checked = check_interfaces(upgraded["interfaces"]); !checked) return fail(checked);
  if (auto checked = check_ips(upgraded["ips"], upgraded["interfaces"].size()); !checked)
    return fail(checked);
  if (auto checked = check_routes(upgraded["routes"]); !checked) return fail(checked);
  drop_keys(upgraded["ips"], {"version"});
  const json& dns = member(result, "dns");
  upgraded["dns"] = dns.is_object() ? dns : json::object();
  upgraded["cniVersion"] = kSupportedVersions.back();
  return upgraded;
}

Result<json> result_for_version(json result, std::string_view version) {
  result["cniVersion"] = version;
  if (is_at_least(version, "1.1.0")) return result;
  if (!is_at_least(version, "0.3.0")) return flat_result(result);
  drop_keys(result["interfaces"], {"mtu", "socketPath", "pciID"});
  drop_keys(result["routes"], {"mtu", "advmss", "priority", "table", "scope"});
  if (is_at_least(version, "1.0.0")) return result;
  for (json& ip : result["ips"]) ip["version"] = is_of_family(ip, "address", true) ? "4" : "6";
  return result;
}

CniResult<json> previous_result(const NetConf& conf, const std::string& verb) {
  auto upgraded = upgrade_result(conf.prev_result.is_null() ? json::object() : conf.prev_result);
  if (!upgraded)
    return cni_error(upgraded.error(), verb + ": \"prevResult\"", CniCode::kInvalidConfig);
  return std::move(*upgraded);
}

}  // namespace kubecni
