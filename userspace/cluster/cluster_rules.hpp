#pragma once

#include "base/ip.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What the operator says of the cluster's networks. An empty list says nothing.
struct ClusterRules {
  std::vector<IpNet> cluster_cidrs;    ///< of the pods
  std::vector<IpNet> service_cidrs;    ///< of the Services
  std::vector<IpNet> node_cidrs;       ///< of the nodes' InternalIPs
  std::optional<IpAddr> service_host;  ///< by which pods reach the API server, if known
};

/// Why `cidr` cannot be the PodCIDR of any node, whoever else claims what; empty: it can.
/// Pure, as all of these: each node of a cluster with the same rules says the same.
std::string why_no_pod_cidr(const IpNet& cidr, const ClusterRules& rules);

/// Why a PodCIDR that can be one may be a mistake all the same, naming the setting that
/// would tell; empty: no reason.
std::string doubt_about_pod_cidr(const IpNet& cidr, const ClusterRules& rules);

/// Why `address` cannot be the InternalIP of any node; empty: it can.
std::string why_no_node_address(const IpAddr& address, const ClusterRules& rules);

/// The configured pod network that has `address`; empty: none.
std::optional<IpNet> pod_network_of(const IpAddr& address, const ClusterRules& rules);

/// Whether `net` is IPv4 and somebody's in the internet: for IPv6 such addresses are
/// common inside of clusters.
bool is_public_ipv4(const IpNet& net);

/// What is wrong with the rules themselves; empty: nothing.
std::string contradiction_in(const ClusterRules& rules);

}  // namespace kubecni
