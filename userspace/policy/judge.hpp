#pragma once

#include "policy/compiled_policy.hpp"

#include <cstdint>
#include <string>

namespace kubecni {

/// The first packet of a connection.
struct PolicyFlow {
  IpAddr source;
  IpAddr destination;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;  ///< of the destination, host order; 0: the protocol has none
};

/// What the policies of one end say to a flow.
struct PolicyVerdict {
  bool is_allowed = true;
  bool is_isolated = false;
  std::string by =
      {};  ///< the rule that allows it; for an isolated end that denies it, the policies
};

/// What the pod at the destination, or at the source, says. An address that is no subject's is not
/// isolated. Pure.
PolicyVerdict judge_ingress(const CompiledPolicy& policy, const PolicyFlow& flow);
PolicyVerdict judge_egress(const CompiledPolicy& policy, const PolicyFlow& flow);

}  // namespace kubecni
