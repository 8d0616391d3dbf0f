#include "state/last_known.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "state/files.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace kubecni {

using nlohmann::json;

namespace {

template <typename T>
T parsed(const std::string& text) {
  const auto value = T::parse(text);
  if (!value) throw std::invalid_argument("\"" + text + "\" is not an address");
  return *value;
}

json to_json(const std::vector<IpAddr>& addresses) {
  json list = json::array();
  for (const IpAddr& address : addresses) list.push_back(address.str());
  return list;
}

/// Throws what nlohmann::json throws, and std::invalid_argument.
std::vector<IpAddr> ip_addresses_in(const json& list) {
  std::vector<IpAddr> addresses;
  for (const json& address : list) addresses.push_back(parsed<IpAddr>(address));
  return addresses;
}

json to_json(const Node& node) {
  json record{{"name", node.name},
              {"internalIPs", to_json(node.internal_ips)},
              {"podCIDRs", json::array()}};
  for (const IpNet& cidr : node.pod_cidrs) record["podCIDRs"].push_back(cidr.str());
  return record;
}

/// Throws what nlohmann::json throws, and std::invalid_argument.
Node node_from_json(const json& record) {
  Node node{.name = record.at("name"),
            .internal_ips = ip_addresses_in(record.at("internalIPs")),
            .pod_cidrs = {}};
  for (const json& cidr : record.at("podCIDRs")) node.pod_cidrs.push_back(parsed<IpNet>(cidr));
  return node;
}

json to_json(const SkippedNode& skipped) {
  return {{"name", skipped.name},
          {"reason", skipped.reason},
          {"internalIPs", to_json(skipped.internal_ips)}};
}

/// Adds a line for each of `items`, made by `print`. A single JSON value for all nodes of a large
/// cluster would take ten times the memory of the text.
template <typename Items, typename Print>
void append_all(std::string& text, const Items& items, Print print) {
  const char* separator = "\n";
  for (const auto& item : items) text += std::exchange(separator, ",\n") + print(item);
}

}  // namespace

Result<> save_last_known(const std::filesystem::path& state_dir, const NodeSnapshot& snapshot,
                         const ClusterView& view) {
  const auto print_owner = [](const auto& owner) {
    return compact(owner.first.str()) + ": " + compact(owner.second);
  };
  std::string text = "{\"nodes\": [";
  append_all(text, snapshot.nodes, [](const Node& node) { return compact(to_json(node)); });
  text += "],\n\"skipped\": [";
  append_all(text, snapshot.skipped,
             [](const SkippedNode& skipped) { return compact(to_json(skipped)); });
  text += "],\n\"owners\": {";
  append_all(text, view.owners, print_owner);
  text += "},\n\"addressOwners\": {";
  append_all(text, view.address_owners, print_owner);
  text += "}";
  if (view.self) text += ",\n\"self\": " + compact(to_json(*view.self));
  text += "}\n";
  return update_file(state_dir / kClusterFile, text);
}

Result<std::optional<LastKnown>> load_last_known(const std::filesystem::path& state_dir) {
  const auto path = state_dir / kClusterFile;
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  try {
    const json record = json::parse(*text);
    LastKnown known;
    for (const json& node : record.at("nodes"))
      known.snapshot.nodes.push_back(node_from_json(node));
    for (const json& skipped : record.at("skipped"))
      known.snapshot.skipped.push_back(
          {skipped.at("name"), skipped.at("reason"),
           ip_addresses_in(skipped.value("internalIPs", json::array()))});
    for (const auto& [cidr, node] : record.at("owners").items())
      known.decided.cidrs.emplace(parsed<IpNet>(cidr), node);
    // Files of older builds have none.
    const json address_owners = record.value("addressOwners", json::object());
    for (const auto& [address, node] : address_owners.items())
      known.decided.addresses.emplace(parsed<IpAddr>(address), node);
    if (record.contains("self")) known.decided.self = node_from_json(record["self"]);
    return known;
  } catch (const std::exception& error) {
    return failure(EBADMSG, path.string() + " is damaged: " + error.what());
  }
}

}  // namespace kubecni
