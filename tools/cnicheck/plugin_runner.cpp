#include "plugin_runner.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

std::string find_plugin(const std::string& cni_path, const std::string& type) {
  std::istringstream folders(cni_path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    folder += "/" + type;
    if (access(folder.c_str(), X_OK) == 0) return folder;
  }
  return "";
}

std::string host_path() {
  const char* path = std::getenv("PATH");
  return path ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
}

}  // namespace

Result<ProcessSpec> PluginRunner::plan(const std::string& type, const std::string& verb,
                                       const Target& target, const std::string& input,
                                       const EnvOverrides& overrides) const {
  const std::string path = find_plugin(cni_path_, type);
  if (path.empty()) return sys_error(ENOENT, "plugin \"" + type + "\" in " + cni_path_);
  EnvOverrides variables{{"PATH", host_path()},          {"CNI_COMMAND", verb},
                         {"CNI_PATH", cni_path_},        {"CNI_CONTAINERID", target.container_id},
                         {"CNI_NETNS", target.netns},    {"CNI_IFNAME", target.ifname},
                         {"CNI_ARGS", "IgnoreUnknown=1"}};
  for (const auto& [name, value] : overrides) variables[name] = value;
  ProcessSpec spec{
      .program = path, .input = input, .netns_fd = node_netns_fd_, .timeout = timeout_};
  for (const auto& [name, value] : variables)
    if (value) spec.env.push_back(name + "=" + *value);
  return spec;
}

Result<ProcessEnd> PluginRunner::run(const std::string& type, const std::string& verb,
                                     const Target& target, const std::string& input,
                                     const EnvOverrides& overrides) const {
  auto spec = plan(type, verb, target, input, overrides);
  if (!spec) return fail(spec);
  return run_process(*spec);
}

Result<ChainEnd> PluginRunner::add(const Network& network, const Target& target,
                                   const json& runtime_config) const {
  ChainEnd chain;
  for (std::size_t i = 0; i < network.plugins.size(); ++i) {
    chain.type = network.type(i);
    const json input = network.input(i, chain.result, runtime_config);
    auto end = run(chain.type, "ADD", target, input.dump());
    if (!end) return fail(end);
    chain.end = std::move(*end);
    chain.result = json::parse(chain.end.out, nullptr, false);
    if (chain.result.is_discarded()) chain.result = nullptr;
    if (!chain.end.succeeded()) break;
  }
  return chain;
}

Result<ChainEnd> PluginRunner::del(const Network& network, const Target& target,
                                   const json& prev_result) const {
  const json given = is_at_least(network.cni_version, "0.4.0") ? prev_result : json();
  ChainEnd chain;
  for (std::size_t i = network.plugins.size(); i-- > 0;) {
    chain.type = network.type(i);
    auto end = run(chain.type, "DEL", target, network.input(i, given, nullptr).dump());
    if (!end) return fail(end);
    chain.end = std::move(*end);
    if (!chain.end.succeeded()) break;
  }
  return chain;
}

Result<ChainEnd> PluginRunner::each(const Network& network, const char* verb, const Target& target,
                                    const json& prev_result, const json& extra) const {
  ChainEnd chain;
  for (std::size_t i = 0; i < network.plugins.size(); ++i) {
    chain.type = network.type(i);
    json input = network.input(i, prev_result, nullptr);
    if (extra.is_object()) input.update(extra);
    auto end = run(chain.type, verb, target, input.dump());
    if (!end) return fail(end);
    chain.end = std::move(*end);
    if (!chain.end.succeeded()) break;
  }
  return chain;
}

Result<ChainEnd> PluginRunner::check(const Network& network, const Target& target,
                                     const json& prev_result) const {
  return each(network, "CHECK", target, prev_result, nullptr);
}

Result<ChainEnd> PluginRunner::status(const Network& network) const {
  return each(network, "STATUS", {"", "", ""}, nullptr, nullptr);
}

Result<ChainEnd> PluginRunner::gc(const Network& network, const json& extra) const {
  return each(network, "GC", {"", "", ""}, nullptr, extra);
}

Result<ProcessEnd> PluginRunner::version(const std::string& type, const std::string& input) const {
  return run(type, "VERSION", {"dummy", "dummy", "dummy"}, input);
}

PluginRunner PluginRunner::with_path(const std::string& cni_path) const {
  PluginRunner other = *this;
  other.cni_path_ = cni_path;
  return other;
}

bool PluginRunner::has(const std::string& type) const {
  return !find_plugin(cni_path_, type).empty();
}

}  // namespace kubecni::cnicheck
