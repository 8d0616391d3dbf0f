#pragma once

#include "k8s/network_policy.hpp"
#include "k8s/pod.hpp"
#include "policy/compiled_policy.hpp"

#include <vector>

namespace kubecni {

/// The ports of a rule that are numbers, one match a protocol. None: every protocol.
std::vector<PortMatch> numbered_ports(const std::vector<PolicyPort>& ports);

/// The same, with the ports of `destination` for names. A name that it does not have is no port;
/// so the result may be empty, and then the rule allows nothing.
std::vector<PortMatch> resolved_ports(const std::vector<PolicyPort>& ports,
                                      const std::vector<NamedPort>& destination);

/// The numbers that `destination` has for the name in `port`.
std::vector<std::uint16_t> numbers_of(const PolicyPort& port,
                                      const std::vector<NamedPort>& destination);

}  // namespace kubecni
