#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <set>

namespace kubecni {

/// The links (by ifindex) with an explicit queueing discipline, like the `tbf` and `ingress` of the
/// bandwidth plugin. Does not count noqueue, which is none, and clsact, which only holds programs.
Result<std::set<unsigned>> list_shaped_links(NetlinkSocket& netlink);

}  // namespace kubecni
