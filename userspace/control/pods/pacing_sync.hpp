#pragma once

#include "control/outcome.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <vector>

namespace kubecni {

/// Tells the programs which devices of the node keep departure times, while a pod is limited in
/// what it sends, and all ways to other nodes lead there: eBPF must be able to carry both
/// directions of a flow. Returns whether that is so; then sync_pods() gives the pods their pacers.
/// Runs in the node's namespace.
Pacing sync_pacing(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                   EbpfDataplane& dataplane, Outcome& outcome);

}  // namespace kubecni
