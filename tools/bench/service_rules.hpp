#pragma once

#include "base/ip.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kubecni::bench {

/// Whose rules: those of kube-proxy in its mode "nftables" or "iptables".
enum class ProxyMode { kNft, kIptables };

/// A Service with a ClusterIP.
struct ServiceSpec {
  IpAddr cluster_ip;
  std::uint16_t port = 80;
  IpAddr backend;
  std::uint16_t backend_port = 8080;
  bool udp = false;  ///< has the same port for UDP, too
};

/// The rules of kube-proxy for these Services, as input of `nft -f -` or `iptables-restore`. Only
/// IPv4, and only ClusterIPs: with the chains, the masquerade mark 0x4000 and the drop of what
/// conntrack calls invalid. `cluster_cidr` is the network of the pods. Pure.
std::string service_rules(ProxyMode mode, const std::vector<ServiceSpec>& services,
                          const std::string& cluster_cidr);

/// `wanted`, behind as many others, with addresses that nobody has, that there are `count`. In the
/// mode iptables a packet meets all rules before its own.
std::vector<ServiceSpec> with_others(std::vector<ServiceSpec> wanted, unsigned count);

}  // namespace kubecni::bench
