#include "test_api_server/make_node.hpp"

namespace kubecni::test {

using nlohmann::json;

json make_node(const std::string& name, const std::string& internal_ip,
               const std::string& pod_cidr) {
  return make_node(name, std::vector{internal_ip}, std::vector{pod_cidr});
}

json make_node(const std::string& name, const std::vector<std::string>& internal_ips,
               const std::vector<std::string>& pod_cidrs) {
  json addresses = json::array();
  for (const auto& ip : internal_ips)
    addresses.push_back({{"type", "InternalIP"}, {"address", ip}});
  addresses.push_back({{"type", "Hostname"}, {"address", name}});
  return {
      {"kind", "Node"},
      {"apiVersion", "v1"},
      {"metadata", {{"name", name}}},
      {"spec", {{"podCIDR", pod_cidrs.at(0)}, {"podCIDRs", pod_cidrs}}},
      {"status", {{"addresses", addresses}}},
  };
}

json make_node_list(const std::vector<json>& nodes) {
  return {{"kind", "NodeList"},
          {"apiVersion", "v1"},
          {"metadata", {{"resourceVersion", "1"}}},
          {"items", nodes}};
}

json make_node_ballast() {
  json ballast;
  for (int i = 0; i < 30; ++i) {
    const std::string n = std::to_string(i);
    ballast["metadata"]["labels"]["topology.example.net/label-" + n] = "value-" + n;
    ballast["metadata"]["annotations"]["example.net/annotation-" + n] = std::string(80, 'a');
  }
  for (int i = 0; i < 50; ++i) {
    const std::string image = "registry.example.net/group/image-" + std::to_string(i);
    ballast["status"]["images"].push_back(
        {{"names",
          {image + "@sha256:" + std::string(64, 'f'), image + ":v1.2." + image.substr(32)}},
         {"sizeBytes", 123'456'789}});
  }
  for (int i = 0; i < 5; ++i) {
    json fields;
    for (int j = 0; j < 60; ++j)
      fields["f:status"]["f:conditions"]["k:{\"type\":\"Condition" + std::to_string(j) + "\"}"] = {
          {"f:lastHeartbeatTime", json::object()}};
    ballast["metadata"]["managedFields"].push_back(
        {{"manager", "kubelet"}, {"operation", "Update"}, {"fieldsV1", fields}});
  }
  return ballast;
}

}  // namespace kubecni::test
