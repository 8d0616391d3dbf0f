#include "k8s/node_parser.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

namespace kubecni {

namespace {

using nlohmann::json;

std::unexpected<Error> malformed(const std::string& field, const json& value,
                                 std::string_view expected) {
  return failure(EINVAL, field + " is " + shown(value) + ", not " + std::string(expected));
}

Result<std::string> parse_name(const json& object) {
  const json& value = member(member(object, "metadata"), "name");
  std::string name = text_of(value);
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() > 253 || !printable)
    return malformed("metadata.name", value, "a node name");
  return name;
}

/// Why a Node has no InternalIP, and what to do.
std::string why_no_internal_ip(const json& addresses) {
  for (const json& address : addresses) {
    if (text_of(member(address, "type")) == "ExternalIP")
      return "status.addresses has no InternalIP, only the ExternalIP " +
             shown(member(address, "address")) +
             "; set kubelet's --node-ip to the address by which other nodes reach it";
  }
  return "status.addresses has no InternalIP yet";
}

Result<std::vector<IpAddr>> parse_internal_ips(const json& object) {
  const json& addresses = member(member(object, "status"), "addresses");
  if (!addresses.is_null() && !addresses.is_array())
    return malformed("status.addresses", addresses, "an array");

  std::vector<IpAddr> ips;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (text_of(member(addresses[i], "type")) != "InternalIP") continue;
    const json& value = member(addresses[i], "address");
    const auto ip = IpAddr::parse(text_of(value));
    if (!ip)
      return malformed("status.addresses[" + std::to_string(i) + "].address", value,
                       "an IP address");
    ips.push_back(*ip);
  }
  if (ips.empty()) return failure(EINVAL, why_no_internal_ip(addresses));
  return ips;
}

Result<IpNet> parse_cidr(const json& value, const std::string& field) {
  const auto net = IpNet::parse(text_of(value));
  if (!net) return malformed(field, value, "a CIDR such as 10.1.0.0/24");
  if (net->prefix == 0) return malformed(field, value, "a part of the address space");
  if (net->network() != *net)
    return malformed(field, value, "a network: it would be " + net->network().str());
  return *net;
}

Result<std::vector<IpNet>> parse_pod_cidrs(const json& object) {
  const json& spec = member(object, "spec");
  const json& list = member(spec, "podCIDRs");
  if (!list.is_null() && !list.is_array()) return malformed("spec.podCIDRs", list, "an array");

  std::vector<IpNet> cidrs;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto cidr = parse_cidr(list[i], "spec.podCIDRs[" + std::to_string(i) + "]");
    if (!cidr) return fail(cidr);
    cidrs.push_back(*cidr);
  }
  if (!cidrs.empty()) return cidrs;

  const json& single = member(spec, "podCIDR");
  if (single.is_null() || single == json(""))
    return failure(EINVAL, "spec.podCIDR is not assigned yet");
  auto cidr = parse_cidr(single, "spec.podCIDR");
  if (!cidr) return fail(cidr);
  return std::vector{*cidr};
}

/// The items of a list, or null when `list` is none.
const json* items_of(const json& list) {
  const std::string kind = text_of(member(list, "kind"));
  const json& items = member(list, "items");
  const bool is_list = (kind == "List" || kind == "NodeList") && items.is_array();
  return is_list ? &items : nullptr;
}

}  // namespace

Result<Node> parse_node(const json& object) {
  auto name = parse_name(object);
  if (!name) return fail(name, "node without a name");
  const std::string context = "node " + *name;
  // The items of a NodeList do not repeat their kind.
  const json& kind = member(object, "kind");
  if (!kind.is_null() && kind != "Node")
    return failure(EINVAL, context + ": kind is " + shown(kind) + ", not \"Node\"");
  auto pod_cidrs = parse_pod_cidrs(object);
  if (!pod_cidrs) return fail(pod_cidrs, context);
  auto internal_ips = parse_internal_ips(object);
  if (!internal_ips) return fail(internal_ips, context);
  return Node{std::move(*name), std::move(*internal_ips), std::move(*pod_cidrs)};
}

std::expected<Node, SkippedNode> node_or_reason(const json& object) {
  auto node = parse_node(object);
  if (node) return std::move(*node);
  auto addresses = parse_internal_ips(object);
  return std::unexpected(
      SkippedNode{.name = text_of(member(member(object, "metadata"), "name")),
                  .reason = node.error().what,
                  .internal_ips = addresses ? std::move(*addresses) : std::vector<IpAddr>{}});
}

Result<NodeSnapshot> parse_node_list(std::string_view text) {
  const auto list = parse_json(text);
  if (!list) return std::unexpected(list.error());
  const json* items = items_of(*list);
  if (!items)
    return failure(EINVAL, "not a list of nodes: kind is " + shown(member(*list, "kind")) +
                               " and items is " + shown(member(*list, "items")) +
                               "; `kubectl get nodes -o json` prints one");

  NodeSnapshot snapshot;
  std::set<std::string> names;
  for (const json& item : *items) {
    auto node = node_or_reason(item);
    const std::string name = node ? node->name : node.error().name;
    if (!name.empty() && !names.insert(name).second)
      snapshot.skipped.push_back({name, "node " + name + ": an earlier item has this name"});
    else if (node)
      snapshot.nodes.push_back(std::move(*node));
    else
      snapshot.skipped.push_back(std::move(node.error()));
  }
  std::ranges::sort(snapshot.nodes);
  std::ranges::sort(snapshot.skipped);
  return snapshot;
}

}  // namespace kubecni
