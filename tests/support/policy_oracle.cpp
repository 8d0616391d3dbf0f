#include "support/policy_oracle.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bitset>

namespace kubecni::test {

namespace {

using nlohmann::json;

json get(const json& object, const char* key) {
  return object.is_object() && object.contains(key) ? object.at(key) : json();
}

json labels_of(const json& object) {
  json labels = get(get(object, "metadata"), "labels");
  return labels.is_null() ? json::object() : labels;
}

bool selects(const json& selector, const json& labels) {
  const json pairs = get(selector, "matchLabels");
  for (const auto& [key, value] : pairs.items())
    if (get(labels, key.c_str()) != value) return false;
  for (const json& condition : get(selector, "matchExpressions")) {
    const json mine = get(labels, condition.at("key").get<std::string>().c_str());
    const json values = get(condition, "values");
    const bool is_among = std::find(values.begin(), values.end(), mine) != values.end();
    const std::string op = condition.at("operator");
    if (op == "In" && !is_among) return false;
    if (op == "NotIn" && is_among) return false;
    if (op == "Exists" && mine.is_null()) return false;
    if (op == "DoesNotExist" && !mine.is_null()) return false;
  }
  return true;
}

/// The address as a text of 0 and 1; empty if it is of the other family.
std::string bits(const std::string& address, int family) {
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(family, address.c_str(), bytes.data()) != 1) return "";
  std::string text;
  for (int i = 0; i < (family == AF_INET ? 4 : 16); ++i)
    text += std::bitset<8>(bytes[static_cast<std::size_t>(i)]).to_string();
  return text;
}

bool is_in(const std::string& address, const std::string& cidr) {
  const auto slash = cidr.find('/');
  const int family = cidr.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const std::string one = bits(address, family);
  const std::string other = bits(cidr.substr(0, slash), family);
  const std::size_t length = std::stoul(cidr.substr(slash + 1));
  if (one.empty()) return false;
  return one.substr(0, length) == other.substr(0, length);
}

bool is_open_port(const json& item, const json* destination, const std::string& protocol,
                  int port) {
  json wanted = get(item, "protocol");
  if (wanted.is_null()) wanted = "TCP";
  if (wanted != protocol) return false;
  const json number = get(item, "port");
  if (number.is_null()) return true;
  if (number.is_number()) {
    const json end = get(item, "endPort");
    return number.get<int>() <= port && port <= (end.is_null() ? number : end).get<int>();
  }
  if (!destination) return false;
  for (const json& container : destination->at("spec").at("containers"))
    for (const json& named : get(container, "ports")) {
      json its = get(named, "protocol");
      if (its.is_null()) its = "TCP";
      if (get(named, "name") == number && its == protocol && named.at("containerPort") == port)
        return true;
    }
  return false;
}

}  // namespace

const json* PolicyOracle::pod_at(const std::string& address) const {
  for (const json& pod : objects_.at("pods")) {
    const std::string phase = get(pod.at("status"), "phase").is_null()
                                  ? "Running"
                                  : pod.at("status").at("phase").get<std::string>();
    if (phase == "Succeeded" || phase == "Failed") continue;
    if (get(pod.at("spec"), "hostNetwork") == true) continue;
    for (const json& ip : pod.at("status").at("podIPs"))
      if (ip.at("ip") == address) return &pod;
  }
  return nullptr;
}

bool PolicyOracle::is_peer(const json& item, const std::string& space,
                           const std::string& address) const {
  if (const json block = get(item, "ipBlock"); !block.is_null()) {
    if (!is_in(address, block.at("cidr"))) return false;
    for (const json& except : get(block, "except"))
      if (is_in(address, except)) return false;
    return true;
  }
  const json* pod = pod_at(address);
  if (!pod) return false;
  const json its_space = pod->at("metadata").at("namespace");
  const json spaces = get(item, "namespaceSelector");
  if (spaces.is_null()) {
    if (its_space != space) return false;
  } else {
    bool is_selected = false;
    for (const json& one : objects_.at("namespaces")) {
      json labels = labels_of(one);
      labels["kubernetes.io/metadata.name"] = one.at("metadata").at("name");
      if (one.at("metadata").at("name") == its_space) is_selected = selects(spaces, labels);
    }
    if (!is_selected) return false;
  }
  return selects(get(item, "podSelector"), labels_of(*pod));
}

bool PolicyOracle::allows_at(bool ingress, const std::string& subject, const std::string& peer,
                             const std::string& destination, const std::string& protocol,
                             int port) const {
  const json* pod = pod_at(subject);
  if (!pod) return true;
  bool is_isolated = false;
  for (const json& policy : objects_.at("policies")) {
    const std::string space = policy.at("metadata").at("namespace");
    const json& spec = policy.at("spec");
    if (pod->at("metadata").at("namespace") != space) continue;
    if (!selects(get(spec, "podSelector"), labels_of(*pod))) continue;
    const json rules = get(spec, ingress ? "ingress" : "egress");
    json types = get(spec, "policyTypes");
    if (types.empty()) {
      types = json::array({"Ingress"});
      if (!get(spec, "egress").empty()) types.push_back("Egress");
    }
    if (std::find(types.begin(), types.end(), ingress ? "Ingress" : "Egress") == types.end())
      continue;
    is_isolated = true;
    for (const json& rule : rules) {
      const json peers = get(rule, ingress ? "from" : "to");
      const json ports = get(rule, "ports");
      const bool is_for_peer =
          peers.empty() || std::any_of(peers.begin(), peers.end(), [&](const json& item) {
            return is_peer(item, space, peer);
          });
      const bool is_for_port =
          ports.empty() || std::any_of(ports.begin(), ports.end(), [&](const json& item) {
            return is_open_port(item, pod_at(destination), protocol, port);
          });
      if (is_for_peer && is_for_port) return true;
    }
  }
  return !is_isolated;
}

bool PolicyOracle::allows_ingress(const std::string& source, const std::string& destination,
                                  const std::string& protocol, int port) const {
  return allows_at(true, destination, source, destination, protocol, port);
}

bool PolicyOracle::allows_egress(const std::string& source, const std::string& destination,
                                 const std::string& protocol, int port) const {
  return allows_at(false, source, destination, destination, protocol, port);
}

bool PolicyOracle::allows(const std::string& source, const std::string& destination,
                          const std::string& protocol, int port) const {
  return source == destination || (allows_ingress(source, destination, protocol, port) &&
                                   allows_egress(source, destination, protocol, port));
}

bool PolicyOracle::is_selected(const std::string& address) const {
  const json* pod = pod_at(address);
  if (!pod) return false;
  for (const json& policy : objects_.at("policies"))
    if (policy.at("metadata").at("namespace") == pod->at("metadata").at("namespace") &&
        selects(get(policy.at("spec"), "podSelector"), labels_of(*pod)))
      return true;
  return false;
}

}  // namespace kubecni::test
