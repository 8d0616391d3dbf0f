#include "result_schema.hpp"

#include "base/mac.hpp"
#include "network.hpp"

#include <sys/socket.h>

#include <functional>
#include <set>

namespace kubecni::cnicheck {

using nlohmann::json;

namespace {

/// Checks one object and notes problems, with their path.
class ObjectChecker {
 public:
  ObjectChecker(const json& object, std::string path, std::vector<std::string>& problems)
      : object_(object), path_(std::move(path)), problems_(problems) {
    if (!object_.is_object()) note("is not an object");
  }

  using Form = std::function<bool(const json&)>;

  void optional(const char* key, const char* wanted, const Form& form) {
    known_.insert(key);
    if (const json* value = find(key); value && !form(*value))
      note(std::string(key) + " is " + value->dump() + ", not " + wanted);
  }
  void required(const char* key, const char* wanted, const Form& form) {
    if (!find(key)) note(std::string(key) + " is missing");
    optional(key, wanted, form);
  }
  void each(const char* key, const std::function<void(const json&, const std::string&)>& look) {
    known_.insert(key);
    const json* list = find(key);
    if (!list) return;
    if (!list->is_array()) return note(std::string(key) + " is not a list");
    for (std::size_t i = 0; i < list->size(); ++i)
      look((*list)[i], path_ + key + "[" + std::to_string(i) + "].");
  }
  void object(const char* key, const std::function<void(const json&, const std::string&)>& look) {
    known_.insert(key);
    if (const json* value = find(key)) look(*value, path_ + key + ".");
  }
  /// Notes every unexpected key.
  void finish() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items())
      if (!known_.contains(key)) note("has " + key + ", which the version does not know");
  }

 private:
  const json* find(const char* key) const {
    const auto found = object_.is_object() ? object_.find(key) : object_.end();
    return object_.is_object() && found != object_.end() ? &*found : nullptr;
  }
  void note(const std::string& text) { problems_.push_back(path_ + " " + text); }

  const json& object_;
  std::string path_;
  std::vector<std::string>& problems_;
  std::set<std::string> known_;
};

bool is_text(const json& value) { return value.is_string(); }
bool is_name(const json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}
bool is_unsigned(const json& value) { return value.is_number_unsigned(); }
bool is_integer(const json& value) { return value.is_number_integer(); }
bool is_net(const json& value) {
  return value.is_string() && IpNet::parse(value.get<std::string>());
}
bool is_ip(const json& value) {
  return value.is_string() && IpAddr::parse(value.get<std::string>());
}
bool is_mac(const json& value) {
  return value.is_string() &&
         (value.get_ref<const std::string&>().empty() || MacAddr::parse(value.get<std::string>()));
}
bool is_texts(const json& value) {
  if (!value.is_array()) return false;
  for (const auto& one : value)
    if (!is_text(one)) return false;
  return true;
}
bool is_family(const json& value, int family) {
  return is_net(value) && IpNet::parse(value.get<std::string>())->addr.family() == family;
}

using Problems = std::vector<std::string>;

void check_dns(const json& dns, const std::string& path, Problems& problems) {
  ObjectChecker checker(dns, path, problems);
  for (const char* key : {"nameservers", "search", "options"})
    checker.optional(key, "a list of texts", is_texts);
  checker.optional("domain", "text", is_text);
  checker.finish();
}

void check_route(const json& route, const std::string& path, const std::string& version,
                 Problems& problems) {
  ObjectChecker checker(route, path, problems);
  checker.required("dst", "a network", is_net);
  checker.optional("gw", "an address", is_ip);
  if (is_at_least(version, "1.1.0")) {
    for (const char* key : {"mtu", "advmss", "priority", "table", "scope"})
      checker.optional(key, "a number", is_integer);
  }
  checker.finish();
}

void check_interface(const json& interface, const std::string& path, const std::string& version,
                     Problems& problems) {
  ObjectChecker checker(interface, path, problems);
  checker.required("name", "a name", is_name);
  checker.optional("mac", "a hardware address", is_mac);
  checker.optional("sandbox", "text", is_text);
  if (is_at_least(version, "1.1.0")) {
    checker.optional("mtu", "a number of bytes", is_unsigned);
    for (const char* key : {"socketPath", "pciID"}) checker.optional(key, "text", is_text);
  }
  checker.finish();
}

void check_ip(const json& ip, const std::string& path, const std::string& version,
              std::size_t interfaces, Problems& problems) {
  ObjectChecker checker(ip, path, problems);
  checker.required("address", "an address with a prefix length", is_net);
  checker.optional("gateway", "an address", is_ip);
  checker.optional("interface", "the index of an interface", [&](const json& index) {
    return index.is_number_unsigned() && index.get<std::size_t>() < interfaces;
  });
  if (!is_at_least(version, "1.0.0")) {
    checker.required("version", "\"4\" or \"6\"",
                     [](const json& value) { return value == "4" || value == "6"; });
  }
  checker.finish();
}

void check_old_ip(const json& ip, const std::string& path, int family, const std::string& version,
                  Problems& problems) {
  ObjectChecker checker(ip, path, problems);
  checker.required("ip", "a network of its family",
                   [&](const json& value) { return is_family(value, family); });
  checker.optional("gateway", "an address", is_ip);
  checker.each("routes", [&](const json& route, const std::string& at) {
    check_route(route, at, version, problems);
  });
  checker.finish();
}

}  // namespace

std::vector<std::string> schema_problems(const json& result, const std::string& version) {
  Problems problems;
  ObjectChecker checker(result, "result", problems);
  checker.required("cniVersion", "the version of the configuration",
                   [&](const json& value) { return value == version; });
  checker.object("dns",
                 [&](const json& dns, const std::string& at) { check_dns(dns, at, problems); });
  if (!is_at_least(version, "0.3.0")) {
    for (const auto& [key, family] : {std::pair{"ip4", AF_INET}, std::pair{"ip6", AF_INET6}})
      checker.object(key, [&, family = family](const json& ip, const std::string& at) {
        check_old_ip(ip, at, family, version, problems);
      });
    if (!result.contains("ip4") && !result.contains("ip6"))
      problems.emplace_back("result has neither ip4 nor ip6");
    checker.finish();
    return problems;
  }
  const json interfaces = result.value("interfaces", json::array());
  checker.each("interfaces", [&](const json& interface, const std::string& at) {
    check_interface(interface, at, version, problems);
  });
  checker.each("ips", [&](const json& ip, const std::string& at) {
    check_ip(ip, at, version, interfaces.size(), problems);
  });
  checker.each("routes", [&](const json& route, const std::string& at) {
    check_route(route, at, version, problems);
  });
  checker.finish();
  return problems;
}

std::vector<IpNet> result_addresses(const json& result) {
  std::vector<IpNet> found;
  const auto add = [&](const json& entry, const char* key) {
    if (!entry.is_object() || !entry.contains(key) || !entry[key].is_string()) return;
    if (auto net = IpNet::parse(entry[key].get<std::string>())) found.push_back(*net);
  };
  if (!result.is_object()) return found;
  for (const char* key : {"ip4", "ip6"}) add(result.value(key, json()), "ip");
  for (const auto& ip : result.value("ips", json::array())) add(ip, "address");
  return found;
}

json result_interface(const json& result, const std::string& ifname, const std::string& sandbox) {
  for (const auto& interface : result.value("interfaces", json::array()))
    if (interface.value("name", "") == ifname && interface.value("sandbox", "") == sandbox)
      return interface;
  return nullptr;
}

}  // namespace kubecni::cnicheck
