#pragma once

#include "base/ip.hpp"
#include "net/address_elements.hpp"

#include <string>

namespace kubecni {

// The fixed sets of the table in which kube-cnid enforces policies (kPolicyTableName). Each exists
// once a family, whose digit ends its name.

/// Pods whose policies are known.
std::string known_set_of(const IpAddr& address);
/// Pods outside of the node's PodCIDRs whose policies are not known.
std::string closed_set_of(const IpAddr& address);

/// Every key under which the fixed sets may have something about a pod with this address; maps
/// without the chain that the key leads to.
AddressElements policy_keys_of(const IpAddr& address);

}  // namespace kubecni
