#pragma once

#include "control/nodes/peer_path.hpp"
#include "control/outcome.hpp"

namespace kubecni {

/// Lets devices go on to take routes from routers' advertisements: with accept_ra 1, the kernel
/// forgets them when the node forwards IPv6, and takes no more. 2 means: also then. Concerns only
/// devices that have one of the node's IPv6 addresses, or a default route that was learned: on
/// others, like a bridge of virtual machines, anybody may pretend to be a router. Call it before
/// forwarding is switched on. Other values stay. Runs in the node's namespace.
void keep_accepting_advertisements(const Underlay& underlay, Outcome& outcome);

}  // namespace kubecni
