#include "cni_result.hpp"

namespace kubecni {

using nlohmann::json;

namespace {

constexpr int kPodInterfaceIndex = 1;

/// Before 0.3.0 a result has one address per family and no interfaces.
json flat_result(const NetConf& conf, const PodPort& port) {
  const std::string gateway = port.gateway.addr.str();
  return {{"cniVersion", conf.cni_version},
          {"ip4",
           {{"ip", port.address.str()},
            {"gateway", gateway},
            {"routes", json::array({{{"dst", "0.0.0.0/0"}, {"gw", gateway}}})}}},
          {"dns", conf.dns}};
}

}  // namespace

json add_result(const NetConf& conf, const Attachment& attachment) {
  const PodPort& port = attachment.port;
  if (!is_at_least(conf.cni_version, "0.3.0")) return flat_result(conf, port);
  json host{{"name", port.host_ifname}, {"mac", port.host_mac.str()}};
  json pod{{"name", port.pod_ifname}, {"mac", port.pod_mac.str()}, {"sandbox", attachment.netns}};
  if (is_at_least(conf.cni_version, "1.1.0")) host["mtu"] = pod["mtu"] = port.mtu;
  json ip{{"address", port.address.str()},
          {"gateway", port.gateway.addr.str()},
          {"interface", kPodInterfaceIndex}};
  if (!is_at_least(conf.cni_version, "1.0.0")) ip["version"] = "4";
  return {{"cniVersion", conf.cni_version},
          {"interfaces", {host, pod}},
          {"ips", json::array({ip})},
          {"routes", json::array({{{"dst", "0.0.0.0/0"}, {"gw", port.gateway.addr.str()}}})},
          {"dns", conf.dns}};
}

json version_result(const std::string& input) {
  return {{"cniVersion", cni_version_for_errors(input)}, {"supportedVersions", kSupportedVersions}};
}

}  // namespace kubecni
