#pragma once

// For net/ only: no other code sees an nlmsghdr.

#include "net/bridge.hpp"
#include "net/link.hpp"

#include <linux/netlink.h>

#include <optional>

namespace kubecni {

/// The link of an RTM_NEWLINK or RTM_DELLINK.
Link parse_link(const nlmsghdr* message);

/// The flags of the bridge's port that such a message is about, also one of the bridge (AF_BRIDGE).
/// Empty if it is about no port.
std::optional<BridgePort> parse_bridge_port(const nlmsghdr* message);

}  // namespace kubecni
