#include "daemon/cluster_view.hpp"

#include <algorithm>
#include <set>

namespace kubecni {

namespace {

struct Claim {
  const Node* node;
  IpNet cidr;
  bool incumbent;
};

std::vector<Claim> claims_in_order(const NodeSnapshot& snapshot, const CidrOwners& previous) {
  std::vector<Claim> claims;
  for (const Node& node : snapshot.nodes) {
    for (const IpNet& cidr : node.pod_cidrs) {
      const auto owner = previous.find(cidr);
      claims.push_back({&node, cidr, owner != previous.end() && owner->second == node.name});
    }
  }
  std::ranges::stable_sort(claims, [](const Claim& a, const Claim& b) {
    return a.incumbent != b.incumbent ? a.incumbent : a.node->name < b.node->name;
  });
  return claims;
}

std::set<IpAddr> addresses_of_nodes(const NodeSnapshot& snapshot) {
  std::set<IpAddr> addresses;
  for (const Node& node : snapshot.nodes)
    addresses.insert(node.internal_ips.begin(), node.internal_ips.end());
  for (const SkippedNode& node : snapshot.skipped)
    addresses.insert(node.internal_ips.begin(), node.internal_ips.end());
  return addresses;
}

/// The accepted PodCIDR that overlaps `cidr`. They are disjoint, so that only
/// the neighbours in their order have to be looked at.
CidrOwners::const_iterator overlapping(const CidrOwners& owners, const IpNet& cidr) {
  auto next = owners.lower_bound(cidr);
  if (next != owners.end() && next->first.overlaps(cidr)) return next;
  if (next != owners.begin() && std::prev(next)->first.overlaps(cidr)) return std::prev(next);
  return owners.end();
}

std::string why_refused(const Claim& claim, const std::set<IpAddr>& node_addresses,
                        const CidrOwners& owners) {
  const auto inside = node_addresses.lower_bound(claim.cidr.addr);
  if (inside != node_addresses.end() && claim.cidr.contains(*inside))
    return "PodCIDR " + claim.cidr.str() + " contains the node address " + inside->str();
  const auto other = overlapping(owners, claim.cidr);
  if (other == owners.end()) return "";
  return "PodCIDR " + claim.cidr.str() +
         (other->first == claim.cidr ? " is" : " overlaps " + other->first.str() + ",") +
         " already that of node " + other->second;
}

void accept(const Claim& claim, const std::set<IpAddr>& node_addresses, ClusterView& view) {
  const std::string refusal = why_refused(claim, node_addresses, view.owners);
  if (refusal.empty())
    view.owners.emplace(claim.cidr, claim.node->name);
  else
    view.skipped.push_back({claim.node->name, refusal});
}

Node with_own_cidrs(Node node, const CidrOwners& owners) {
  std::erase_if(node.pod_cidrs, [&](const IpNet& cidr) {
    const auto owner = owners.find(cidr);
    return owner == owners.end() || owner->second != node.name;
  });
  return node;
}

std::string why_outdated(const NodeSnapshot& snapshot, const std::string& own_name) {
  const auto skipped = std::ranges::find(snapshot.skipped, own_name, &SkippedNode::name);
  if (skipped != snapshot.skipped.end()) return skipped->reason;
  return "the Node object " + own_name + " is gone";
}

}  // namespace

ClusterView view_cluster(const NodeSnapshot& snapshot, const std::string& own_name,
                         const CidrOwners& previous, const std::optional<Node>& last_self) {
  ClusterView view{
      .self = {}, .self_outdated = {}, .peers = {}, .skipped = snapshot.skipped, .owners = {}};
  auto node_addresses = addresses_of_nodes(snapshot);
  const bool is_listed =
      std::ranges::find(snapshot.nodes, own_name, &Node::name) != snapshot.nodes.end();
  const bool keeps_last = !is_listed && last_self && last_self->name == own_name;
  if (keeps_last)
    node_addresses.insert(last_self->internal_ips.begin(), last_self->internal_ips.end());
  view.node_addresses.assign(node_addresses.begin(), node_addresses.end());

  for (const Claim& claim : claims_in_order(snapshot, previous))
    accept(claim, node_addresses, view);
  for (const Node& node : snapshot.nodes) {
    Node accepted = with_own_cidrs(node, view.owners);
    if (node.name == own_name)
      view.self = std::move(accepted);
    else if (!accepted.pod_cidrs.empty())
      view.peers.push_back(std::move(accepted));
  }
  if (!keeps_last) return view;
  for (const IpNet& cidr : last_self->pod_cidrs)
    accept({&*last_self, cidr, true}, node_addresses, view);
  view.self = with_own_cidrs(*last_self, view.owners);
  view.self_outdated = why_outdated(snapshot, own_name);
  return view;
}

}  // namespace kubecni
