#pragma once

#include "net/nftables.hpp"
#include "policy/live_table.hpp"

namespace kubecni {

/// The policies' table of the calling thread's namespace; one that does not exist if the kernel has
/// no netfilter. Errors: EPERM no CAP_NET_ADMIN.
Result<LiveTable> read_live_table(Nftables::Elements elements);

}  // namespace kubecni
