#pragma once

#include "control/nodes/peer_path.hpp"
#include "control/outcome.hpp"

#include <vector>

namespace kubecni {

/// Lets the uplinks go on to take routes from routers' advertisements: with accept_ra 1, the kernel
/// forgets them when the node forwards IPv6, and takes no more. 2 means: also then. Call it before
/// forwarding is switched on. Other values stay. Runs in the node's namespace.
void keep_accepting_advertisements(const std::vector<Uplink>& uplinks, Outcome& outcome);

}  // namespace kubecni
