#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace kubecni::test {

/// A table of policies as `nft -j list table` prints it.
class NftListing {
 public:
  using json = nlohmann::json;
  /// Of a rule. Compilers differ in whether json{part} is a list.
  using Parts = std::vector<json>;

  NftListing() {
    for (const char* chain : {"forward", "original", "reply"}) add_chain(chain);
  }

  void add_chain(const std::string& name) { add("chain", {{"name", name}}); }
  void add_set(const std::string& name, json elements) {
    add("set", {{"name", name}, {"elem", std::move(elements)}});
  }
  /// From an address to the chain to jump to.
  void add_map(const std::string& name, const json& targets) {
    json elements = json::array();
    for (const auto& [address, chain] : targets.items())
      elements.push_back({address, {{"jump", {{"target", chain}}}}});
    add("map", {{"name", name}, {"elem", elements}});
  }
  void add_rule(const std::string& chain, Parts parts, const std::string& comment = "") {
    add("rule", {{"chain", chain}, {"comment", comment}, {"expr", std::move(parts)}});
  }

  static json payload(const std::string& protocol, const std::string& field) {
    return {{"payload", {{"protocol", protocol}, {"field", field}}}};
  }
  static json match(const json& left, const json& right, const std::string& op = "==") {
    return {{"match", {{"op", op}, {"left", left}, {"right", right}}}};
  }
  static json verdict(const std::string& kind) { return {{kind, nullptr}}; }
  static json rejected() { return {{"reject", {{"type", "icmpx"}, {"expr", "admin-prohibited"}}}}; }
  static json go(const std::string& chain) { return {{"goto", {{"target", chain}}}}; }
  static json counted(std::uint64_t packets) {
    return {{"counter", {{"packets", packets}, {"bytes", 60 * packets}}}};
  }
  static json look_up(const json& key, const std::string& map) {
    return {{"vmap", {{"key", key}, {"data", "@" + map}}}};
  }

  [[nodiscard]] std::string text() const { return json{{"nftables", parts_}}.dump(); }

 private:
  void add(const char* kind, json part) { parts_.push_back({{kind, std::move(part)}}); }

  json parts_ = json::array({{{"metainfo", {{"version", "1.0.6"}}}}});
};

}  // namespace kubecni::test
