#include "cluster/peer_change.hpp"

#include <algorithm>
#include <utility>

namespace kubecni {

namespace {

bool was_refused_something(const ClusterView& view, const std::string& name) {
  return std::ranges::find(view.skipped, name, &SkippedNode::name) != view.skipped.end();
}

bool owns(const ClusterView& view, const Node& node) {
  return std::ranges::all_of(node.internal_ips, [&](const IpAddr& address) {
    const auto owner = view.address_owners.find(address);
    return owner != view.address_owners.end() && owner->second == node.name;
  });
}

/// Whether the node would get all that it claims if there was no other.
bool is_plain(const Node& node, const ClusterRules& rules) {
  const ClusterView alone = view_cluster({.nodes = {node}, .skipped = {}}, "", {}, rules);
  return alone.peers == std::vector{node} && alone.skipped.empty();
}

bool touches_address(const ClusterView& view, const IpNet& cidr) {
  const auto next = view.address_owners.lower_bound(cidr.network().addr);
  return next != view.address_owners.end() && cidr.contains(next->first);
}

/// Whether the node claims what another one has. Itself is not in the view.
bool touches_others(const ClusterView& view, const Node& node) {
  const auto is_taken = [&](const IpAddr& address) {
    return view.address_owners.contains(address) ||
           find_overlapping(view.owners, {address, address.bits()}) != view.owners.end();
  };
  const auto overlaps = [&](const IpNet& cidr) {
    return find_overlapping(view.owners, cidr) != view.owners.end() || touches_address(view, cidr);
  };
  return std::ranges::any_of(node.internal_ips, is_taken) ||
         std::ranges::any_of(node.pod_cidrs, overlaps);
}

/// Whether the node gives up what another one, which is refused something, may have claimed.
bool frees_claims(const ClusterView& view, const Node& before, const Node* now) {
  if (view.skipped.empty()) return false;
  const auto gives_up = [&](const auto& had, const auto& has) {
    return std::ranges::any_of(
        had, [&](const auto& one) { return std::ranges::find(has, one) == has.end(); });
  };
  return !now || gives_up(before.internal_ips, now->internal_ips) ||
         gives_up(before.pod_cidrs, now->pod_cidrs);
}

std::vector<Node>::iterator place_of(ClusterView& view, const std::string& name) {
  return std::ranges::lower_bound(view.peers, name, {}, &Node::name);
}

void remove(ClusterView& view, const Node& node) {
  for (const IpNet& cidr : node.pod_cidrs) view.owners.erase(cidr);
  for (const IpAddr& address : node.internal_ips) view.address_owners.erase(address);
  for (const IpAddr& address : first_of_each_family(node.internal_ips))
    std::erase(view.node_addresses, address);
  std::erase_if(view.warnings, [&](const NodeWarning& one) { return one.name == node.name; });
  view.peers.erase(place_of(view, node.name));
}

void add(ClusterView& view, const Node& node) {
  for (const IpNet& cidr : node.pod_cidrs) view.owners.emplace(cidr, node.name);
  for (const IpAddr& address : node.internal_ips) view.address_owners.emplace(address, node.name);
  for (const IpAddr& address : first_of_each_family(node.internal_ips))
    view.node_addresses.insert(std::ranges::lower_bound(view.node_addresses, address), address);
  view.peers.insert(place_of(view, node.name), node);
}

}  // namespace

std::optional<PeerChange> follow_peer(ClusterView& view, const std::string& name, const Node* now,
                                      const ClusterRules& rules) {
  if (!view.self || view.self->name == name || was_refused_something(view, name))
    return std::nullopt;
  PeerChange change{.before = {}, .after = now ? std::optional(*now) : std::nullopt};
  if (const auto place = place_of(view, name); place != view.peers.end() && place->name == name)
    change.before = *place;
  if (change.before && (!owns(view, *change.before) || frees_claims(view, *change.before, now)))
    return std::nullopt;
  if (now && !is_plain(*now, rules)) return std::nullopt;
  if (change.before) remove(view, *change.before);
  const bool is_free = !now || !touches_others(view, *now);
  if (now && is_free) add(view, *now);
  if (is_free) return change;
  if (change.before) add(view, *change.before);
  return std::nullopt;
}

}  // namespace kubecni
