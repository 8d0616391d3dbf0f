#pragma once

#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <vector>

namespace kubecni::test {

/// Random objects of a small cluster: few labels, names and networks, so that most of them meet.
class RandomPolicies {
 public:
  explicit RandomPolicies(unsigned seed) : random_(seed) {}

  /// "policies", "pods" and "namespaces", as PolicyOracle takes them. Pods have the given
  /// addresses, a list each; without, a pod gets addresses of both families.
  nlohmann::json cluster(std::size_t pods, std::size_t policies,
                         const std::vector<std::vector<std::string>>& addresses = {}) {
    nlohmann::json objects{{"policies", nlohmann::json::array()},
                           {"pods", nlohmann::json::array()},
                           {"namespaces", nlohmann::json::array()}};
    for (const std::string& name : spaces_)
      objects["namespaces"].push_back(
          {{"kind", "Namespace"}, {"metadata", {{"name", name}, {"labels", labels()}}}});
    for (std::size_t i = 0; i < pods; ++i)
      objects["pods"].push_back(pod(i, addresses.empty() ? usual_addresses(i) : addresses[i]));
    for (std::size_t i = 0; i < policies; ++i) objects["policies"].push_back(policy(i));
    return objects;
  }

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  template <typename Item>
  const Item& one_of(const std::vector<Item>& items) {
    return items[below(items.size())];
  }

  static std::vector<std::string> usual_addresses(std::size_t i) {
    return {"10.0." + std::to_string(i % 3) + "." + std::to_string(10 + i),
            "fd00:" + std::to_string(i % 3) + "::" + std::to_string(10 + i)};
  }

 private:
  using json = nlohmann::json;

  json labels() {
    json labels = json::object();
    for (const char* key : {"app", "tier"})
      if (below(3) > 0) labels[key] = one_of(values_);
    return labels;
  }

  json selector() {
    json selector = json::object();
    if (below(3) == 0) return selector;
    if (below(2) == 0) selector["matchLabels"] = {{one_of(keys_), one_of(values_)}};
    if (below(2) == 0) {
      const std::string op = one_of(operators_);
      json condition{{"key", one_of(keys_)}, {"operator", op}};
      if (op == "In" || op == "NotIn")
        condition["values"] = json::array({one_of(values_), one_of(values_)});
      selector["matchExpressions"] = json::array({condition});
    }
    return selector;
  }

  json space_selector() {
    if (below(3) == 0) return {{"matchLabels", {{"kubernetes.io/metadata.name", one_of(spaces_)}}}};
    return selector();
  }

  json peer() {
    json peer = json::object();
    switch (below(5)) {
      case 0:
        peer["podSelector"] = selector();
        break;
      case 1:
        peer["namespaceSelector"] = space_selector();
        break;
      case 2:
        peer["podSelector"] = selector();
        peer["namespaceSelector"] = space_selector();
        break;
      default: {
        const bool v4 = below(2) == 0;
        const std::string cidr = v4 ? one_of(cidrs4_) : one_of(cidrs6_);
        peer["ipBlock"] = {{"cidr", cidr}};
        // An except has to be in its cidr.
        if (below(2) == 0 && cidr != "10.0.2.7/24")
          peer["ipBlock"]["except"] =
              v4 ? json{"10.0.1.0/28", "10.0.1.8/29"} : json{"fd00:1::/64", "fd00:1::13/128"};
      }
    }
    return peer;
  }

  json port() {
    json port = json::object();
    if (below(4) > 0) port["protocol"] = one_of(protocols_);
    switch (below(5)) {
      case 0:
        break;
      case 1:
        port["port"] = 80 + below(3);
        port["endPort"] = 81 + below(3) + 1;
        if (port["endPort"] < port["port"]) port["endPort"] = port["port"];
        break;
      case 2:
        port["port"] = one_of(port_names_);
        break;
      default:
        port["port"] = 80 + below(3);
    }
    return port;
  }

  json rule(const char* peers_field) {
    json rule = json::object();
    if (below(4) > 0)
      for (std::size_t i = below(3); i-- > 0;) rule[peers_field].push_back(peer());
    if (below(3) > 0)
      for (std::size_t i = below(3); i-- > 0;) rule["ports"].push_back(port());
    return rule;
  }

  json policy(std::size_t i) {
    json spec{{"podSelector", selector()}};
    if (below(3) > 0)
      for (std::size_t n = below(3); n-- > 0;) spec["ingress"].push_back(rule("from"));
    if (below(3) > 0)
      for (std::size_t n = below(3); n-- > 0;) spec["egress"].push_back(rule("to"));
    switch (below(4)) {
      case 0:
        spec["policyTypes"] = json::array({"Ingress"});
        break;
      case 1:
        spec["policyTypes"] = json::array({"Egress"});
        break;
      case 2:
        spec["policyTypes"] = json::array({"Ingress", "Egress"});
        break;
      default:
        break;
    }
    return {{"kind", "NetworkPolicy"},
            {"metadata", {{"name", "p" + std::to_string(i)}, {"namespace", one_of(spaces_)}}},
            {"spec", spec}};
  }

  json pod(std::size_t i, const std::vector<std::string>& addresses) {
    json ports = json::array();
    if (below(2) == 0) ports.push_back({{"name", "web"}, {"containerPort", 80 + below(2)}});
    if (below(2) == 0)
      ports.push_back({{"name", "dns"}, {"containerPort", 80 + below(3)}, {"protocol", "UDP"}});
    json pod{{"kind", "Pod"},
             {"metadata",
              {{"name", "pod" + std::to_string(i)},
               {"namespace", spaces_[i % spaces_.size()]},
               {"labels", labels()}}},
             {"spec", {{"containers", json::array({json{{"name", "main"}, {"ports", ports}}})}}},
             {"status", {{"phase", "Running"}, {"podIPs", json::array()}}}};
    for (const std::string& address : addresses)
      pod["status"]["podIPs"].push_back({{"ip", address}});
    return pod;
  }

  std::mt19937 random_;
  std::vector<std::string> spaces_{"x", "y", "z"};
  std::vector<std::string> keys_{"app", "tier"};
  std::vector<std::string> values_{"a", "b"};
  std::vector<std::string> operators_{"In", "NotIn", "Exists", "DoesNotExist"};
  std::vector<std::string> cidrs4_{"10.0.0.0/8", "10.0.1.0/24", "10.0.2.7/24", "0.0.0.0/0"};
  std::vector<std::string> cidrs6_{"fd00::/16", "fd00:1::/32", "::/0"};
  std::vector<std::string> protocols_{"TCP", "UDP", "SCTP"};
  std::vector<std::string> port_names_{"web", "dns", "none"};
};

}  // namespace kubecni::test
