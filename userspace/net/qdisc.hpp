#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <set>

namespace kubecni {

/// The links (by ifindex) that have a queueing discipline which somebody gave
/// them, like the `tbf` and `ingress` of the bandwidth plugin. Not counted are
/// noqueue, which is none, and clsact, which only holds programs.
Result<std::set<unsigned>> list_shaped_links(NetlinkSocket& netlink);

}  // namespace kubecni
