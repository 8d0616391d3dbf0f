#pragma once

#include "base/result.hpp"
#include "net/netlink.hpp"

#include <optional>

namespace kubecni {

/// Leads every frame that comes in by link `from` to the output of link `to`, after the programs at
/// tcx and the filters of others. It is a filter of the clsact qdisc, which is made if there is
/// none. Replaces what led elsewhere. Errors: ENODEV no such link; ENOENT the kernel lacks the
/// classifier `u32` or the action `mirred`.
Result<> set_redirect(NetlinkSocket& netlink, unsigned from, unsigned to);

/// Where set_redirect() leads what comes in by `from`; empty if nowhere.
Result<std::optional<unsigned>> find_redirect(NetlinkSocket& netlink, unsigned from);

}  // namespace kubecni
