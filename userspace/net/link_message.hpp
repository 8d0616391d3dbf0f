#pragma once

// For net/ only: no other code sees an nlmsghdr.

#include "net/link.hpp"

#include <linux/netlink.h>

namespace kubecni {

/// The link of an RTM_NEWLINK or RTM_DELLINK.
Link parse_link(const nlmsghdr* message);

}  // namespace kubecni
