#pragma once

#include "base/ip.hpp"
#include "net/nft_table.hpp"

#include <compare>
#include <cstdint>
#include <vector>

namespace kubecni {

/// Our nftables table for what is routed, with its family.
inline constexpr const char* kFirewallTable = "inet kube-cni";

/// The end of a VXLAN tunnel.
struct TunnelEnd {
  std::uint16_t port = 0;  ///< UDP
  std::uint32_t vni = 0;

  auto operator<=>(const TunnelEnd&) const = default;
};

/// What netfilter has to do for this node's pods.
struct FirewallSpec {
  /// Pods reach what is outside of the cluster with the node's address, but for its
  /// tunnels: who has that address may send what it likes through them. Outside is
  /// what is none of the following, nor multicast, nor link-local of IPv6.
  bool masquerade = false;
  std::vector<IpNet> own_pods;      ///< this node's PodCIDRs
  std::vector<IpNet> cluster_pods;  ///< those of every node
  std::vector<IpAddr> nodes;        ///< the first InternalIP of each family, of every node
  /// From where nodes may send through the tunnel: all of their InternalIPs.
  std::vector<IpAddr> tunnel_peers;
  std::vector<IpNet> exceptions;  ///< nonMasqueradeCIDRs; may overlap anything
  TunnelEnd tunnel;
  /// There are tunnels between the nodes: what got another source address here, whoever gave
  /// it, reaches none.
  bool has_tunnel = false;
  /// While no eBPF program asks: what comes to the tunnel from no peer, or with another
  /// network identifier, is dropped and counted.
  bool guards_tunnel = false;

  auto operator<=>(const FirewallSpec&) const = default;
};

/// The table; one without rules when there is nothing to do. Networks that others contain
/// are left out.
NftTable plan_table(const FirewallSpec& spec);

/// The networks of `networks` that no other of them contains, sorted.
std::vector<IpNet> without_contained(std::vector<IpNet> networks);

/// Which packets the table translates: the same as its rules, for flows that began
/// without it.
class MasqueradeRule {
 public:
  explicit MasqueradeRule(const FirewallSpec& spec);

  /// Whether a flow from `source` that reaches `destination` has to be translated.
  [[nodiscard]] bool applies(const IpAddr& source, const IpAddr& destination) const;
  /// Whether it may apply to a flow to which `before` does not.
  [[nodiscard]] bool is_wider_than(const MasqueradeRule& before) const;

 private:
  bool masquerade_;
  std::vector<IpNet> own_pods_;
  std::vector<IpNet> inside_;
};

}  // namespace kubecni
