#pragma once

#include "control/outcome.hpp"
#include "dataplane/pod_dataplane.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <functional>
#include <vector>

namespace kubecni {

using PolicedPods = std::function<Policed(const Attachment&)>;

/// Brings back what pods have lost: their place on the bridge, their limits, and for pods on eBPF
/// the programs and map entries, also outdated ones. The pods are those of the plugin's records:
/// `attachments`, which were read from `store` a moment ago. `dataplane`: null if eBPF is not
/// loaded. `policed` says which pods netfilter has to judge, `pacing` whether limited ones may have
/// pacers. Runs in the node's namespace.
void sync_pods(NetlinkSocket& netlink, const AttachmentStore& store,
               const std::vector<Attachment>& attachments, PodDataplane* dataplane,
               const PolicedPods& policed, Pacing pacing, Outcome& outcome);

/// Tells the maps of all pods, and leaves their programs alone: what a schema change begins with.
void fill_endpoints(NetlinkSocket& netlink, const AttachmentStore& store,
                    const std::vector<Link>& links, EndpointTable& endpoints,
                    const PolicedPods& policed, Outcome& outcome);

}  // namespace kubecni
