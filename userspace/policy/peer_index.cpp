#include "policy/peer_index.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace kubecni {

namespace {

using Owners = std::map<IpAddr, std::string>;

/// Who has the addresses of this node's attachments.
Owners owners_of(const std::vector<LocalPod>& locals) {
  Owners owners;
  for (const LocalPod& local : locals)
    for (const IpAddr& address : local.addresses) owners.emplace(address, local.pod);
  return owners;
}

/// The addresses that pods of both kinds claim.
std::set<IpAddr> contested_addresses(const PolicyObjects& objects) {
  std::set<IpAddr> claimed, contested;
  for (const Pod& pod : objects.pods)
    if (pod.is_selectable()) claimed.insert(pod.addresses.begin(), pod.addresses.end());
  for (const Pod& peer : objects.peers)
    for (const IpAddr& address : peer.addresses)
      if (peer.is_selectable() && claimed.contains(address)) contested.insert(address);
  return contested;
}

}  // namespace

PeerIndex::PeerIndex(const PolicyObjects& objects, const std::vector<LocalPod>& locals) {
  const Owners owners = owners_of(locals);
  for (const Namespace& space : objects.spaces)
    if (space.problem.empty()) spaces_.emplace(space.name, &space);
  add_pods(objects, owners);
  add_new_addresses(owners);
}

/// Each with its addresses, without those that this node gave to another pod since.
void PeerIndex::add_pods(const PolicyObjects& objects, const Owners& owners) {
  const std::set<IpAddr> contested = contested_addresses(objects);
  const auto add = [&](const Pod& pod, const auto& has) {
    if (!pod.is_selectable()) return;
    Peer& peer = by_space_[pod.space].emplace_back(Peer{&pod, {}});
    std::ranges::copy_if(pod.addresses, std::back_inserter(peer.addresses), has);
  };
  for (const Pod& pod : objects.pods) {
    const std::string key = pod.key();
    pods_.emplace(key, &pod);
    add(pod, [&](const IpAddr& address) {
      const auto owner = owners.find(address);
      return owner == owners.end() ? !contested.contains(address) : owner->second == key;
    });
  }
  for (const Pod& peer : objects.peers) {
    if (pods_.contains(peer.key())) continue;  // it was made anew on this node, or was here before
    add(peer, [&](const IpAddr& address) {
      return !owners.contains(address) && !contested.contains(address);
    });
  }
}

/// A new pod's object has no address yet.
void PeerIndex::add_new_addresses(const Owners& owners) {
  for (const auto& [address, key] : owners) {
    const Pod* const pod = find(key);
    if (!pod || !pod->is_selectable()) continue;
    auto& peers = by_space_[pod->space];
    auto& known = std::ranges::find(peers, pod, &Peer::pod)->addresses;
    if (std::ranges::find(known, address) == known.end()) known.push_back(address);
  }
}

const Pod* PeerIndex::find(const std::string& key) const {
  const auto found = pods_.find(key);
  return found == pods_.end() ? nullptr : found->second;
}

/// A namespace that is not known might have any labels, so only `{}` selects it.
bool PeerIndex::selects_space(const LabelSelector& selector, const std::string& space) const {
  if (selector.requirements.empty()) return true;
  const auto found = spaces_.find(space);
  return found != spaces_.end() && matches(selector, found->second->labels);
}

const PeerIndex::ByValue& PeerIndex::with_label(const Peers& peers, const std::string& label) {
  const auto [entry, is_new] = by_label_.try_emplace({&peers, label});
  ByValue& by_value = entry->second;
  if (!is_new) return by_value;
  for (const Peer& peer : peers)
    if (const auto value = peer.pod->labels.find(label)) by_value[*value].push_back(&peer);
  return by_value;
}

void PeerIndex::add_selected(const Peers& peers, const std::optional<LabelSelector>& selector,
                             std::vector<const Peer*>& selected) {
  const auto add = [&](const Peer& peer) {
    if (!selector || matches(*selector, peer.pod->labels)) selected.push_back(&peer);
  };
  const LabelRequirement* const named = selector ? requirement_of_values(*selector) : nullptr;
  if (!named) {
    std::ranges::for_each(peers, add);
    return;
  }
  const ByValue& by_value = with_label(peers, named->key);
  for (const std::string& value : named->values)
    if (const auto found = by_value.find(value); found != by_value.end())
      for (const Peer* peer : found->second) add(*peer);
}

std::vector<const PeerIndex::Peer*> PeerIndex::select(const PolicyPeer& peer,
                                                      const std::string& space) {
  std::vector<const Peer*> selected;
  if (peer.block) return selected;
  if (!peer.spaces && peer.pods) {
    if (const auto own = by_space_.find(space); own != by_space_.end())
      add_selected(own->second, peer.pods, selected);
    return selected;
  }
  for (const auto& [name, peers] : by_space_)
    if (!peer.spaces || selects_space(*peer.spaces, name)) add_selected(peers, peer.pods, selected);
  return selected;
}

std::vector<const PeerIndex::Peer*> PeerIndex::in_block(const IpBlock& block) {
  std::vector<const Peer*> found;
  for (const Peer* peer : all())
    if (std::ranges::any_of(peer->addresses,
                            [&](const IpAddr& address) { return contains(block, address); }))
      found.push_back(peer);
  return found;
}

std::vector<const PeerIndex::Peer*> PeerIndex::all() { return select({}, ""); }

bool contains(const IpBlock& block, const IpAddr& address) {
  return block.cidr.contains(address) && std::ranges::none_of(block.except, [&](const IpNet& net) {
           return net.contains(address);
         });
}

}  // namespace kubecni
