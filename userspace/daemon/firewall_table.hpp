#pragma once

#include "base/ip.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The name of our nftables table, of family inet.
inline constexpr const char* kFirewallTable = "kube-cni";

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
  std::vector<IpAddr> nodes;        ///< every node's InternalIPs
  std::vector<IpNet> exceptions;    ///< nonMasqueradeCIDRs; may overlap anything
  TunnelEnd tunnel;
  /// Without eBPF: what comes to the tunnel from anyone but `nodes`, or with another
  /// network identifier, is dropped and counted.
  bool guards_tunnel = false;

  auto operator<=>(const FirewallSpec&) const = default;
};

/// The whole table in nft's language; empty when there is nothing to do. Networks
/// that others contain are left out.
std::string plan_table(const FirewallSpec& spec);

/// The transaction that makes `wanted`, of plan_table(), in place of `before`, as nft
/// lists it; each empty for none. Where both have the same sets and chains, these are
/// filled anew instead of made anew: packets miss a new set for some microseconds
/// (seen on 6.18: 44 of 236000 flows, in 417 transactions; none of 184000 this way).
std::string plan_replacement(const std::string& before, const std::string& wanted);

/// The commands that make the table of `before` that of `after`, which may be none.
/// nullopt when more than the elements of its sets differ.
std::optional<std::string> plan_elements(const FirewallSpec& before, const FirewallSpec& after);

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
