#pragma once

#include "k8s/policy_objects.hpp"
#include "policy/compiler.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace kubecni {

/// The pods that may be peers, with the addresses that they really have. Refers to the objects. A
/// selector that names values of a label looks only at the pods that have one of them.
class PeerIndex {
 public:
  struct Peer {
    const Pod* pod;
    std::vector<IpAddr> addresses;
  };

  PeerIndex(const PolicyObjects& objects, const std::vector<LocalPod>& locals);

  /// The pods that `peer` of a policy in the namespace `space` selects. A peer without selectors
  /// and block selects every pod. A block selects no pod as such.
  std::vector<const Peer*> select(const PolicyPeer& peer, const std::string& space);
  /// Every pod with one of its addresses in the block.
  std::vector<const Peer*> in_block(const IpBlock& block);
  std::vector<const Peer*> all();

  /// The pod with this key, selectable or not, peers of other nodes aside; null if there is none.
  [[nodiscard]] const Pod* find(const std::string& key) const;

 private:
  using Owners = std::map<IpAddr, std::string>;
  using Peers = std::vector<Peer>;
  using ByValue = std::unordered_map<std::string_view, std::vector<const Peer*>>;

  void add_pods(const PolicyObjects& objects, const Owners& owners);
  void add_new_addresses(const Owners& owners);
  [[nodiscard]] bool selects_space(const LabelSelector& selector, const std::string& space) const;
  const ByValue& with_label(const Peers& peers, const std::string& label);
  void add_selected(const Peers& peers, const std::optional<LabelSelector>& selector,
                    std::vector<const Peer*>& selected);

  std::unordered_map<std::string, const Pod*> pods_;  ///< by key
  std::map<std::string, Peers> by_space_;             ///< those that may be peers
  std::map<std::string, const Namespace*> spaces_;    ///< by name, without malformed ones
  std::map<std::pair<const Peers*, std::string>, ByValue> by_label_;  ///< made when asked for
};

/// Whether the block has the address.
bool contains(const IpBlock& block, const IpAddr& address);

}  // namespace kubecni
