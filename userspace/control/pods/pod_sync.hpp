#pragma once

#include "control/outcome.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <vector>

namespace kubecni {

/// Brings back what pods have lost: their place on the bridge, and for those on
/// eBPF programs and map entries, these also when they are out of date. Which pods
/// there are is what the plugin's records say: `attachments`, a moment ago in `store`.
/// `dataplane` is null where eBPF is not loaded. Runs in the node's
/// namespace.
void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, PodDataplane* dataplane,
               Outcome& outcome);

/// Tells the maps of all pods, and leaves their programs alone: what a schema change begins with.
void fill_endpoints(NetlinkSocket& netlink, const AttachmentStore& store,
                    const std::vector<Link>& links, EndpointTable& endpoints, Outcome& outcome);

}  // namespace kubecni
