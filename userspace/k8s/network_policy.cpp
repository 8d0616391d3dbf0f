#include "k8s/network_policy.hpp"

#include "base/json.hpp"
#include "k8s/object_fields.hpp"
#include "k8s/protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

using nlohmann::json;

std::unexpected<Error> wrong(std::string_view field, const json& value) {
  return failure(EINVAL, std::string(field) + " is " + shown(value));
}

/// The items of an optional list.
Result<const json*> list_in(const json& object, std::string_view field) {
  const json& list = member(object, field);
  if (!list.is_null() && !list.is_array()) return wrong(field, list);
  return &list;
}

std::optional<std::uint16_t> port_number(const json& value) {
  const auto number = unsigned_of(value);
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

Result<PolicyPort> parse_port(const json& item) {
  if (!item.is_object()) return wrong("an item of ports", item);
  const json& port = member(item, "port");
  const json& end = member(item, "endPort");
  const auto protocol = protocol_in(member(item, "protocol"));
  if (!protocol) return wrong("protocol", member(item, "protocol"));
  PolicyPort parsed{.protocol = *protocol};
  if (!port.is_number()) {
    if (!end.is_null()) return failure(EINVAL, "endPort is given without a number in port");
    if (port.is_string() && !text_of(port).empty())
      parsed.name = text_of(port);
    else if (!port.is_null())
      return wrong("port", port);
    return parsed;
  }
  const auto first = port_number(port);
  const auto last = end.is_null() ? first : port_number(end);
  if (!first) return wrong("port", port);
  if (!last || *last < *first) return wrong("endPort", end);
  parsed.first = *first;
  parsed.last = *last;
  return parsed;
}

/// "010.0.0.0/8" as "10.0.0.0/8": old objects may have such numbers, and they were decimal.
std::string without_leading_zeros(const std::string& text) {
  if (text.find(':') != std::string::npos) return text;
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins_number = plain.empty() || plain.back() == '.' || plain.back() == '/';
    const bool goes_on = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (text[i] != '0' || !begins_number || !goes_on) plain += text[i];
  }
  return plain;
}

Result<IpNet> parse_network(std::string_view field, const json& value) {
  const auto network = IpNet::parse(without_leading_zeros(text_of(value)));
  if (!network) return wrong(field, value);
  return network->network();
}

Result<IpBlock> parse_block(const json& item) {
  auto cidr = parse_network("ipBlock.cidr", member(item, "cidr"));
  if (!cidr) return fail(cidr);
  auto list = list_in(item, "except");
  if (!list) return fail(list);
  IpBlock block{.cidr = *cidr};
  for (const json& value : **list) {
    auto except = parse_network("ipBlock.except", value);
    if (!except) return fail(except);
    if (!cidr->contains(*except))
      return failure(EINVAL, "ipBlock.except " + except->str() + " is not in " + cidr->str());
    block.except.push_back(*except);
  }
  std::ranges::sort(block.except);
  return block;
}

Result<std::optional<LabelSelector>> optional_selector(const json& item, std::string_view field) {
  const json& value = member(item, field);
  if (value.is_null()) return std::nullopt;
  auto selector = parse_selector(value);
  if (!selector) return fail(selector, field);
  return std::optional(std::move(*selector));
}

Result<PolicyPeer> parse_peer(const json& item) {
  auto pods = optional_selector(item, "podSelector");
  if (!pods) return fail(pods);
  auto spaces = optional_selector(item, "namespaceSelector");
  if (!spaces) return fail(spaces);
  const json& ip_block = member(item, "ipBlock");
  const bool has_selector = *pods || *spaces;
  if (has_selector == !ip_block.is_null())
    return failure(
        EINVAL, has_selector ? "a peer has an ipBlock and a selector" : "a peer is " + shown(item));
  if (has_selector) return PolicyPeer{.pods = std::move(*pods), .spaces = std::move(*spaces)};
  auto block = parse_block(ip_block);
  if (!block) return fail(block);
  return PolicyPeer{.block = std::move(*block)};
}

Result<PolicyRule> parse_rule(const json& item, std::string_view peers_field) {
  if (!item.is_object()) return wrong("a rule", item);
  PolicyRule rule;
  auto peers = list_in(item, peers_field);
  if (!peers) return fail(peers);
  for (const json& peer : **peers) {
    auto parsed = parse_peer(peer);
    if (!parsed) return fail(parsed);
    rule.peers.push_back(std::move(*parsed));
  }
  auto ports = list_in(item, "ports");
  if (!ports) return fail(ports);
  for (const json& port : **ports) {
    auto parsed = parse_port(port);
    if (!parsed) return fail(parsed);
    rule.ports.push_back(std::move(*parsed));
  }
  return rule;
}

Result<std::vector<PolicyRule>> parse_rules(const json& spec, const std::string& direction,
                                            std::string_view peers_field) {
  auto list = list_in(spec, direction);
  if (!list) return fail(list);
  std::vector<PolicyRule> rules;
  for (std::size_t i = 0; i < (*list)->size(); ++i) {
    auto rule = parse_rule((**list)[i], peers_field);
    if (!rule) return fail(rule, direction + "[" + std::to_string(i) + "]");
    rules.push_back(std::move(*rule));
  }
  return rules;
}

Result<> parse_types(const json& spec, NetworkPolicy& policy) {
  auto types = list_in(spec, "policyTypes");
  if (!types) return fail(types);
  if ((*types)->empty()) {
    policy.isolates_ingress = true;
    policy.isolates_egress = !policy.egress.empty();
  }
  for (const json& type : **types) {
    if (type == "Ingress")
      policy.isolates_ingress = true;
    else if (type == "Egress")
      policy.isolates_egress = true;
    else
      return wrong("an item of policyTypes", type);
  }
  return {};
}

Result<> read_policy(const json& spec, NetworkPolicy& policy) {
  if (!spec.is_object()) return wrong("spec", spec);
  auto subjects = parse_selector(member(spec, "podSelector"));
  if (!subjects) return fail(subjects, "podSelector");
  policy.subjects = std::move(*subjects);
  auto ingress = parse_rules(spec, "ingress", "from");
  if (!ingress) return fail(ingress);
  auto egress = parse_rules(spec, "egress", "to");
  if (!egress) return fail(egress);
  policy.ingress = std::move(*ingress);
  policy.egress = std::move(*egress);
  return parse_types(spec, policy);
}

}  // namespace

NetworkPolicy parse_network_policy(const json& object) {
  NetworkPolicy policy{.space = metadata_text(object, "namespace"),
                       .name = metadata_text(object, "name")};
  auto done = read_policy(member(object, "spec"), policy);
  if (done) return policy;
  policy.problem = "NetworkPolicy " + policy.key() + ": " + done.error().what;
  policy.isolates_ingress = policy.isolates_egress = true;
  policy.ingress.clear();
  policy.egress.clear();
  return policy;
}

}  // namespace kubecni
