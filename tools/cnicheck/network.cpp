#include "network.hpp"

#include "base/file.hpp"
#include "base/json.hpp"

#include <cerrno>
#include <sstream>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

std::vector<int> numbers(std::string_view version) {
  std::vector<int> parts;
  std::istringstream text{std::string(version)};
  for (std::string part; std::getline(text, part, '.');) parts.push_back(std::atoi(part.c_str()));
  return parts;
}

/// The first IPv4 "subnet" anywhere below `value`.
std::optional<IpNet> find_subnet(const json& value) {
  if (value.is_object()) {
    const auto net = IpNet::parse(text_of(member(value, "subnet")));
    if (net && net->addr.is_v4()) return net;
  }
  if (!value.is_structured()) return std::nullopt;
  for (const auto& part : value)
    if (auto found = find_subnet(part)) return found;
  return std::nullopt;
}

}  // namespace

bool is_at_least(std::string_view version, std::string_view other) {
  return numbers(version) >= numbers(other);
}

Result<Network> Network::load(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) return fail(text);
  const json conf = json::parse(*text, nullptr, false);
  if (!conf.is_object()) return failure(EINVAL, path.string() + " is not a JSON object");
  Network network{text_of(member(conf, "name")), text_of(member(conf, "cniVersion")), {}};
  if (const auto list = conf.find("plugins"); list != conf.end() && list->is_array())
    network.plugins.assign(list->begin(), list->end());
  else
    network.plugins.push_back(conf);
  if (network.cni_version.empty()) network.cni_version = "0.1.0";
  if (network.name.empty() || network.plugins.empty())
    return failure(EINVAL, path.string() + " has no \"name\", or no plugin");
  for (std::size_t i = 0; i < network.plugins.size(); ++i)
    if (network.type(i).empty())
      return failure(EINVAL, path.string() + ": a plugin has no \"type\"");
  return network;
}

std::string Network::type(std::size_t index) const {
  return plugins[index].is_object() ? text_of(member(plugins[index], "type")) : "";
}

json Network::input(std::size_t index, const json& prev_result, const json& runtime_config) const {
  json conf = plugins[index];
  conf["name"] = name;
  conf.erase("cniVersion");
  if (!cni_version.empty()) conf["cniVersion"] = cni_version;
  const json capabilities = conf.value("capabilities", json::object());
  conf.erase("capabilities");
  for (const auto& [key, wanted] : capabilities.items()) {
    if (wanted == true && runtime_config.is_object() && runtime_config.contains(key))
      conf["runtimeConfig"][key] = runtime_config[key];
  }
  if (!prev_result.is_null()) conf["prevResult"] = prev_result;
  return conf;
}

Network Network::with_version(const std::string& version) const {
  Network other = *this;
  other.cni_version = version;
  return other;
}

bool Network::has_capability(const char* capability) const {
  const json capabilities = plugins.front().value("capabilities", json::object());
  return capabilities.is_object() && capabilities.value(capability, json(false)) == true;
}

std::optional<IpNet> Network::subnet() const { return find_subnet(plugins.front()); }

}  // namespace kubecni::cnicheck
