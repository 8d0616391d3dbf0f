#pragma once

#include "k8s/policy_objects.hpp"
#include "policy/compiler.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// The pods that may be peers, with the addresses that they really have. Refers to the objects.
class PeerIndex {
 public:
  struct Peer {
    const Pod* pod;
    std::vector<IpAddr> addresses;
  };

  PeerIndex(const PolicyObjects& objects, const std::vector<LocalPod>& locals);

  /// The pods that `peer` of a policy in the namespace `space` selects. A peer without selectors
  /// and block selects every pod. A block selects no pod as such.
  [[nodiscard]] std::vector<const Peer*> select(const PolicyPeer& peer,
                                                const std::string& space) const;
  /// Every pod with one of its addresses in the block.
  [[nodiscard]] std::vector<const Peer*> in_block(const IpBlock& block) const;
  [[nodiscard]] std::vector<const Peer*> all() const;

  /// The pod with this key, selectable or not; null if there is none.
  [[nodiscard]] const Pod* find(const std::string& key) const;

 private:
  [[nodiscard]] bool selects_space(const LabelSelector& selector, const std::string& space) const;

  std::map<std::string, const Pod*> pods_;             ///< by key
  std::map<std::string, std::vector<Peer>> by_space_;  ///< those that may be peers
  std::map<std::string, const Namespace*> spaces_;     ///< by name, without malformed ones
};

/// Whether the block has the address.
bool contains(const IpBlock& block, const IpAddr& address);

}  // namespace kubecni
