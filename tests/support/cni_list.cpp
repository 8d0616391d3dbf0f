#include "support/cni_list.hpp"

#include <chrono>
#include <ranges>

namespace kubecni::test {

using nlohmann::json;

CniList::CniList(const Node& node, std::vector<json> plugins, std::string version)
    : node_(node), plugins_(std::move(plugins)), version_(std::move(version)) {
  for (json& plugin : plugins_) {
    if (plugin["type"] == "kube-cni") plugin = node_.conf(plugin);
    plugin["cniVersion"] = version_;
    plugin["name"] = "pods";
  }
}

CniAnswer CniList::call(const std::string& verb, const Pod& pod, const json& plugin,
                        const json& result) const {
  CniCall call = node_.call_for(verb, pod);
  json input = plugin;
  input.erase("capabilities");
  const auto given = runtime_config_.find(pod.container_id);
  const json capabilities = plugin.value("capabilities", json::object());
  for (const auto& [capability, wanted] : capabilities.items()) {
    if (wanted == true && given != runtime_config_.end() && given->second.contains(capability))
      input["runtimeConfig"][capability] = given->second[capability];
  }
  if (!result.is_null()) input["prevResult"] = result;
  call.input = input.dump();
  if (plugin["type"] == "kube-cni") return node_.call(call);

  const std::string program =
      std::string(kReferencePlugins) + "/" + plugin["type"].get<std::string>();
  const auto end =
      run({.argv = {program}, .env = call.env, .input = call.input, .netns_fd = node_.netns.fd()},
          std::chrono::seconds(30));
  CniAnswer answer{end.status, end.out, end.err, json()};
  if (!answer.out.empty()) answer.json = json::parse(answer.out, nullptr, false);
  return answer;
}

CniAnswer CniList::add(Pod& pod, const json& runtime_config) {
  runtime_config_[pod.container_id] = runtime_config.is_null() ? json::object() : runtime_config;
  CniAnswer answer;
  for (const json& plugin : plugins_) {
    answer = call("ADD", pod, plugin, answer.json);
    if (answer.status != 0) return answer;
  }
  results_[pod.container_id] = answer.json;
  for (const json& ip : answer.json["ips"]) {
    const auto net = IpNet::parse(ip["address"].get<std::string>()).value();
    const json& interface = answer.json["interfaces"][ip["interface"].get<std::size_t>()];
    if (interface["name"] == pod.ifname) pod.address = net.addr;
  }
  return answer;
}

CniAnswer CniList::check(const Pod& pod) {
  for (const json& plugin : plugins_) {
    auto answer = call("CHECK", pod, plugin, results_[pod.container_id]);
    if (answer.status != 0) return answer;
  }
  return {};
}

CniAnswer CniList::del(const Pod& pod) {
  CniAnswer last;
  for (const json& plugin : plugins_ | std::views::reverse) {
    auto answer = call("DEL", pod, plugin, results_[pod.container_id]);
    if (answer.status != 0) last = answer;
  }
  return last;
}

}  // namespace kubecni::test
