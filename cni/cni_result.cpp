#include "cni_result.hpp"

#include "base/json.hpp"
#include "result_shape.hpp"

namespace kubecni {

using nlohmann::json;

namespace {

/// Appends the host's and the pod's end. Returns the index of the latter.
std::size_t add_interfaces(const Attachment& attachment, json& result) {
  const PodPort& port = attachment.port;
  json& interfaces = result["interfaces"];
  interfaces.push_back(
      {{"name", port.host_ifname}, {"mac", port.host_mac.str()}, {"mtu", port.mtu}});
  interfaces.push_back({{"name", port.pod_ifname},
                        {"mac", port.pod_mac.str()},
                        {"mtu", port.mtu},
                        {"sandbox", attachment.netns}});
  return interfaces.size() - 1;
}

json first_not_empty(std::initializer_list<json> choices) {
  for (const json& choice : choices)
    if (!choice.empty()) return choice;
  return json::object();
}

}  // namespace

Result<json> add_result(const NetConf& conf, const Attachment& attachment, const json& previous,
                        const json& ipam_dns) {
  json result = previous;
  const std::size_t pod_interface = add_interfaces(attachment, result);
  for (const auto& [net, gateway] : attachment.port.addresses) {
    json ip{{"address", net.str()}, {"interface", pod_interface}};
    if (gateway) ip["gateway"] = gateway->str();
    result["ips"].push_back(ip);
  }
  for (const auto& [dst, gateway] : attachment.port.routes)
    result["routes"].push_back({{"dst", dst.str()}, {"gw", gateway.str()}});
  result["dns"] = first_not_empty({conf.dns, ipam_dns, member(previous, "dns")});
  return result_for_version(std::move(result), conf.cni_version);
}

json version_result(const std::string& input) {
  return {{"cniVersion", cni_version_for_errors(input)}, {"supportedVersions", kSupportedVersions}};
}

}  // namespace kubecni
