#include "cluster/cluster_view.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace kubecni {

namespace {

struct CidrClaim {
  Claimant claimant;
  IpNet cidr;
  bool incumbent;
};

/// Decides on the claims, one after another.
class Resolution {
 public:
  Resolution(const Incumbents& previous, const ClusterRules& rules,
             const std::vector<Claimant>& claimants)
      : previous_(previous),
        rules_(rules),
        claims_(resolve_addresses(claimants, previous.addresses, rules)) {}

  void decide(const CidrClaim& claim) {
    std::string refusal = why_no_pod_cidr(claim.cidr, rules_);
    if (refusal.empty()) refusal = why_taken(claim);
    if (refusal.empty()) refusal = why_addresses_stay(claim);
    const std::string& name = *claim.claimant.name;
    if (!refusal.empty()) return skipped_.push_back({name, std::move(refusal)});
    refuse_addresses_in(claim);
    cidrs_.emplace(claim.cidr, name);
    if (auto doubt = doubt_about_pod_cidr(claim.cidr, rules_); !doubt.empty())
      claims_.warnings.push_back({name, std::move(doubt)});
  }

  /// `node` with only those addresses and PodCIDRs that it may use.
  [[nodiscard]] Node granted(Node node) const {
    std::erase_if(node.pod_cidrs, [&](const IpNet& cidr) {
      const auto owner = cidrs_.find(cidr);
      return owner == cidrs_.end() || owner->second != node.name;
    });
    node.internal_ips = addresses_of(node.name, node.internal_ips);
    return node;
  }

  [[nodiscard]] std::vector<IpAddr> addresses_of(const std::string& name,
                                                 const std::vector<IpAddr>& claimed) const {
    std::vector<IpAddr> addresses;
    const auto shared = claims_.shared.find(name);
    for (const IpAddr& address : claimed) {
      const auto owner = claims_.owners.find(address);
      if (owner == claims_.owners.end()) continue;
      const bool shares = shared != claims_.shared.end() && shared->second == address;
      if (owner->second == name || shares) addresses.push_back(address);
    }
    return addresses;
  }

  void move_to(ClusterView& view) {
    view.owners = std::move(cidrs_);
    view.address_owners = std::move(claims_.owners);
    view.warnings = std::move(claims_.warnings);
    for (auto* refused : {&claims_.refused, &skipped_})
      std::ranges::move(*refused, std::back_inserter(view.skipped));
  }

 private:
  [[nodiscard]] std::string why_taken(const CidrClaim& claim) const {
    const auto other = find_overlapping(cidrs_, claim.cidr);
    if (other == cidrs_.end()) return "";
    return "PodCIDR " + claim.cidr.str() +
           (other->first == claim.cidr ? " is" : " overlaps " + other->first.str() + ",") +
           " already that of node " + other->second;
  }

  /// Calls `look` with each address in `cidr` and its node, until `look` returns false.
  template <typename Look>
  void look_into(const IpNet& cidr, Look look) const {
    auto found = claims_.owners.lower_bound(cidr.addr);
    while (found != claims_.owners.end() && cidr.contains(found->first) && look(*found)) ++found;
  }

  [[nodiscard]] bool is_incumbent(const AddressOwners::value_type& owner) const {
    const auto before = previous_.addresses.find(owner.first);
    return before != previous_.addresses.end() && before->second == owner.second;
  }

  /// How many other nodes have addresses in the PodCIDRs of this one; counts up to two.
  [[nodiscard]] std::size_t others_in_cidrs_of(const Claimant& claimant) const {
    std::set<std::string> others;
    for (const IpNet& cidr : *claimant.pod_cidrs) {
      if (!why_no_pod_cidr(cidr, rules_).empty()) continue;
      look_into(cidr, [&](const auto& owner) {
        if (owner.second != *claimant.name) others.insert(owner.second);
        return others.size() < 2;
      });
    }
    return others.size();
  }

  /// Why the claim is refused for the address of a node; empty: it is not.
  [[nodiscard]] std::string why_addresses_stay(const CidrClaim& claim) const {
    const bool is_tie_refused = others_in_cidrs_of(claim.claimant) >= 2;
    std::string why;
    look_into(claim.cidr, [&](const auto& owner) {
      const bool is_own = owner.second == *claim.claimant.name;
      const bool address_was_first = is_incumbent(owner) && !claim.incumbent;
      const bool is_tie = is_incumbent(owner) == claim.incumbent;
      if (is_own || address_was_first || (is_tie && is_tie_refused))
        why = "PodCIDR " + claim.cidr.str() + " contains the node address " + owner.first.str() +
              " of node " + owner.second;
      return why.empty();
    });
    return why;
  }

  void refuse_addresses_in(const CidrClaim& claim) {
    auto found = claims_.owners.lower_bound(claim.cidr.addr);
    while (found != claims_.owners.end() && claim.cidr.contains(found->first)) {
      skipped_.push_back({found->second, "InternalIP " + found->first.str() + " lies in PodCIDR " +
                                             claim.cidr.str() + " of node " +
                                             *claim.claimant.name});
      found = claims_.owners.erase(found);
    }
  }

  const Incumbents& previous_;
  const ClusterRules& rules_;
  AddressClaims claims_;
  CidrOwners cidrs_;
  std::vector<SkippedNode> skipped_;
};

Claimant claimant_of(const Node& node) { return {&node.name, &node.internal_ips, &node.pod_cidrs}; }

std::vector<Claimant> claimants_in(const NodeSnapshot& snapshot, const Node* last_self) {
  std::vector<Claimant> claimants;
  claimants.reserve(snapshot.nodes.size() + snapshot.skipped.size() + 1);
  for (const Node& node : snapshot.nodes) claimants.push_back(claimant_of(node));
  for (const SkippedNode& node : snapshot.skipped)
    claimants.push_back({&node.name, &node.internal_ips, nullptr});
  if (last_self) claimants.push_back(claimant_of(*last_self));
  return claimants;
}

std::vector<CidrClaim> cidr_claims_in_order(const NodeSnapshot& snapshot,
                                            const CidrOwners& previous) {
  std::vector<CidrClaim> claims;
  for (const Node& node : snapshot.nodes) {
    for (const IpNet& cidr : node.pod_cidrs) {
      const auto owner = previous.find(cidr);
      claims.push_back(
          {claimant_of(node), cidr, owner != previous.end() && owner->second == node.name});
    }
  }
  std::ranges::stable_sort(claims, [](const CidrClaim& a, const CidrClaim& b) {
    return a.incumbent != b.incumbent ? a.incumbent : *a.claimant.name < *b.claimant.name;
  });
  return claims;
}

std::vector<IpAddr> main_addresses(const std::vector<Claimant>& claimants,
                                   const Resolution& resolution) {
  std::set<IpAddr> all;
  for (const Claimant& claimant : claimants) {
    const auto granted = resolution.addresses_of(*claimant.name, *claimant.addresses);
    for (const IpAddr& address : first_of_each_family(granted)) all.insert(address);
  }
  return {all.begin(), all.end()};
}

std::string why_outdated(const std::vector<SkippedNode>& skipped, const std::string& own_name) {
  const auto found = std::ranges::find(skipped, own_name, &SkippedNode::name);
  return found != skipped.end() ? found->reason : "the Node object " + own_name + " is gone";
}

}  // namespace

CidrOwners::const_iterator find_overlapping(const CidrOwners& owners, const IpNet& cidr) {
  // They are disjoint, so only the next and the previous one can overlap.
  auto next = owners.lower_bound(cidr);
  if (next != owners.end() && next->first.overlaps(cidr)) return next;
  if (next != owners.begin() && std::prev(next)->first.overlaps(cidr)) return std::prev(next);
  return owners.end();
}

ClusterView view_cluster(const NodeSnapshot& snapshot, const std::string& own_name,
                         const Incumbents& previous, const ClusterRules& rules) {
  const bool is_listed =
      std::ranges::find(snapshot.nodes, own_name, &Node::name) != snapshot.nodes.end();
  const Node* last_self =
      previous.self && previous.self->name == own_name ? &*previous.self : nullptr;
  const auto claimants = claimants_in(snapshot, is_listed ? nullptr : last_self);
  Resolution resolution(previous, rules, claimants);
  for (const CidrClaim& claim : cidr_claims_in_order(snapshot, previous.cidrs))
    resolution.decide(claim);
  if (!is_listed && last_self) {
    for (const IpNet& cidr : last_self->pod_cidrs)
      resolution.decide({claimant_of(*last_self), cidr, true});
  }

  ClusterView view{.self = {}, .peers = {}, .skipped = snapshot.skipped, .owners = {}};
  view.peers.reserve(snapshot.nodes.size());
  for (const Node& node : snapshot.nodes) {
    Node granted = resolution.granted(node);
    if (granted.internal_ips.empty()) continue;  // each refusal is in `skipped`
    if (node.name == own_name)
      view.self = std::move(granted);
    else if (!granted.pod_cidrs.empty())
      view.peers.push_back(std::move(granted));
  }
  view.node_addresses = main_addresses(claimants, resolution);
  const bool is_outdated = !view.self && last_self;
  if (is_outdated) {
    view.self = resolution.granted(*last_self);
    view.self->internal_ips = last_self->internal_ips;
  }
  resolution.move_to(view);
  if (is_outdated)
    view.self_outdated = why_outdated(is_listed ? view.skipped : snapshot.skipped, own_name);
  return view;
}

}  // namespace kubecni
