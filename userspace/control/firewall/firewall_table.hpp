#pragma once

#include "base/ip.hpp"
#include "net/address_elements.hpp"
#include "net/nft_table.hpp"

#include <compare>
#include <cstdint>
#include <vector>

namespace kubecni {

/// Our nftables table for routed packets, with its family.
inline constexpr const char* kFirewallTable = "inet kube-cni";

/// The end of a VXLAN tunnel.
struct TunnelEnd {
  std::uint16_t port = 0;  ///< UDP
  std::uint32_t vni = 0;

  auto operator<=>(const TunnelEnd&) const = default;
};

/// What netfilter has to do for this node's pods.
struct FirewallSpec {
  /// What pods send out of the cluster gets the node's address. Outside is what is not in the
  /// following networks, not multicast and not IPv6 link-local. Packets to tunnels are dropped:
  /// with the node's address, a pod could send anything through them.
  bool masquerade = false;
  std::vector<IpNet> own_pods;      ///< this node's PodCIDRs
  std::vector<IpNet> cluster_pods;  ///< those of every node
  std::vector<IpAddr> nodes;        ///< the first InternalIP of each family, of every node
  /// Addresses from which nodes may send through the tunnel: all of their InternalIPs.
  std::vector<IpAddr> tunnel_peers;
  std::vector<IpNet> exceptions;  ///< nonMasqueradeCIDRs; may overlap anything
  TunnelEnd tunnel;
  /// There are tunnels between the nodes. Packets whose source address was translated here do not
  /// reach them.
  bool has_tunnel = false;
  /// No program checks the senders. So netfilter drops and counts what reaches the tunnel from an
  /// address that is not a peer's, or with another network identifier.
  bool guards_tunnel = false;
  /// A strict rp_filter has to know what comes from other nodes. So IPv4 packets of theirs, and of
  /// their pods, get KUBECNI_MARK_REMOTE.
  bool marks_remote = false;

  auto operator<=>(const FirewallSpec&) const = default;
};

/// The table; without rules if there is nothing to do. Leaves out networks that another one
/// contains.
NftTable plan_table(const FirewallSpec& spec);

/// Addresses of other nodes, as in FirewallSpec.
struct FirewallPeers {
  std::vector<IpNet> cluster_pods;
  std::vector<IpAddr> nodes;
  std::vector<IpAddr> tunnel_peers;

  [[nodiscard]] bool empty() const {
    return cluster_pods.empty() && nodes.empty() && tunnel_peers.empty();
  }
};

/// What `peers` add to the sets of the table for `spec`. Pure.
AddedToSets plan_additions(const FirewallSpec& spec, const FirewallPeers& peers);

/// Those of `networks` that none of the others contains, sorted.
std::vector<IpNet> without_contained(std::vector<IpNet> networks);

/// Which packets the table translates. Says the same as the table's rules, for flows that began
/// before the table existed.
class MasqueradeRule {
 public:
  explicit MasqueradeRule(const FirewallSpec& spec);

  /// Whether a flow from `source` that reaches `destination` has to be translated.
  [[nodiscard]] bool applies(const IpAddr& source, const IpAddr& destination) const;
  /// Whether this rule may apply to a flow to which `before` does not apply.
  [[nodiscard]] bool is_wider_than(const MasqueradeRule& before) const;

 private:
  bool masquerade_;
  std::vector<IpNet> own_pods_;
  std::vector<IpNet> inside_;
};

}  // namespace kubecni
