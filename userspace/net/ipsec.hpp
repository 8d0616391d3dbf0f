#pragma once

#include "base/result.hpp"

namespace kubecni {

/// Whether the network namespace of the calling thread has policies of IPsec (XFRM) for packets
/// that leave it. False on a kernel without IPsec.
Result<bool> has_ipsec_policies();

}  // namespace kubecni
