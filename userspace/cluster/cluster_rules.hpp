#pragma once

#include "base/ip.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What the operator says about the cluster's networks. An empty list: nothing.
struct ClusterRules {
  std::vector<IpNet> cluster_cidrs;    ///< of the pods
  std::vector<IpNet> service_cidrs;    ///< of the Services
  std::vector<IpNet> node_cidrs;       ///< of the nodes' InternalIPs
  std::optional<IpAddr> service_host;  ///< address by which pods reach the API server, if known
};

/// Why `cidr` cannot be the PodCIDR of any node; empty: it can. All of these functions are pure:
/// nodes with the same rules get the same answers.
std::string why_no_pod_cidr(const IpNet& cidr, const ClusterRules& rules);

/// Why a valid PodCIDR may still be a mistake, and which setting would confirm it; empty: no
/// reason.
std::string doubt_about_pod_cidr(const IpNet& cidr, const ClusterRules& rules);

/// Why `address` cannot be the InternalIP of any node; empty: it can.
std::string why_no_node_address(const IpAddr& address, const ClusterRules& rules);

/// The configured pod network that contains `address`; empty: none does.
std::optional<IpNet> pod_network_of(const IpAddr& address, const ClusterRules& rules);

/// Whether `net` is IPv4 and public. Public IPv6 addresses are common inside of clusters.
bool is_public_ipv4(const IpNet& net);

/// Which rules contradict each other; empty: none.
std::string contradiction_in(const ClusterRules& rules);

}  // namespace kubecni
