#include "cluster/address_claims.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

namespace kubecni {

namespace {

struct AddressClaim {
  const Claimant* claimant;
  IpAddr address;
  bool incumbent;
};

const IpNet* own_cidr_of(const Claimant& claimant, const IpAddr& address) {
  if (!claimant.pod_cidrs) return nullptr;
  const auto found = std::ranges::find_if(
      *claimant.pod_cidrs, [&](const IpNet& cidr) { return cidr.contains(address); });
  return found == claimant.pod_cidrs->end() ? nullptr : &*found;
}

/// Why the node should use another of its addresses, if it has one; empty: no reason.
std::string why_last_choice(const Claimant& claimant, const IpAddr& address,
                            const ClusterRules& rules) {
  if (const IpNet* own = own_cidr_of(claimant, address))
    return "InternalIP " + address.str() + " lies in the node's own PodCIDR " + own->str() +
           "; set kubelet's --node-ip to the address by which other nodes reach it";
  if (const auto pods = pod_network_of(address, rules))
    return "InternalIP " + address.str() + " lies in the pod network " + pods->str() +
           " (--cluster-cidr)";
  return "";
}

/// The addresses of the claimant that may be a node's. Adds the others to `claims`.
std::vector<IpAddr> possible_addresses(const Claimant& claimant, const ClusterRules& rules,
                                       AddressClaims& claims) {
  std::vector<IpAddr> good, last_choices;
  for (const IpAddr& address : *claimant.addresses) {
    const std::string refusal = why_no_node_address(address, rules);
    if (!refusal.empty())
      claims.refused.push_back({*claimant.name, refusal});
    else
      (why_last_choice(claimant, address, rules).empty() ? good : last_choices).push_back(address);
  }
  for (const IpAddr& address : last_choices) {
    std::string why = why_last_choice(claimant, address, rules);
    if (good.empty())
      claims.warnings.push_back({*claimant.name, std::move(why)});
    else
      claims.refused.push_back({*claimant.name, std::move(why)});
  }
  return good.empty() ? last_choices : good;
}

std::vector<AddressClaim> claims_in_order(const std::vector<Claimant>& claimants,
                                          const AddressOwners& previous, const ClusterRules& rules,
                                          AddressClaims& claims) {
  std::vector<AddressClaim> ordered;
  for (const Claimant& claimant : claimants) {
    for (const IpAddr& address : possible_addresses(claimant, rules, claims)) {
      const auto owner = previous.find(address);
      ordered.push_back(
          {&claimant, address, owner != previous.end() && owner->second == *claimant.name});
    }
  }
  const auto rank = [](const AddressClaim& claim) {
    return std::tuple<bool, bool, const std::string&>(
        !claim.incumbent, claim.claimant->pod_cidrs == nullptr, *claim.claimant->name);
  };
  std::ranges::stable_sort(ordered,
                           [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return ordered;
}

}  // namespace

AddressClaims resolve_addresses(const std::vector<Claimant>& claimants,
                                const AddressOwners& previous, const ClusterRules& rules) {
  AddressClaims claims;
  std::map<std::string, std::vector<IpAddr>> taken;  // claimed, but owned by another node
  std::map<std::string, unsigned> owned;
  for (const auto& [claimant, address, incumbent] :
       claims_in_order(claimants, previous, rules, claims)) {
    const auto& [owner, is_new] = claims.owners.emplace(address, *claimant->name);
    if (owner->second == *claimant->name)
      ++owned[*claimant->name];
    else
      taken[*claimant->name].push_back(address);
  }
  for (const auto& [name, addresses] : taken) {
    const bool shares = !owned.contains(name);
    if (shares) claims.shared.emplace(name, addresses.front());
    for (const IpAddr& address : addresses) {
      const std::string why =
          "InternalIP " + address.str() + " is already that of node " + claims.owners.at(address);
      if (shares && address == addresses.front())
        claims.warnings.push_back({name, why + "; delete the Node object that is out of date"});
      else
        claims.refused.push_back({name, why});
    }
  }
  return claims;
}

}  // namespace kubecni
