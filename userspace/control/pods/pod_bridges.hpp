#pragma once

#include "control/outcome.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// Keeps the bridges of all pods as their ADD made them, also those of networks that kube-cnid
/// knows nothing else about: the bridge, up, with the gateways' addresses, forwarding, and the FDB
/// entry of its own MAC; this entry also for `bridge`, which is the cluster's. `links` were listed
/// before. Runs in the node's namespace.
void sync_pod_bridges(NetlinkSocket& netlink, const AttachmentStore& store,
                      const std::vector<Attachment>& attachments, const std::string& bridge,
                      const std::vector<Link>& links, Outcome& outcome);

}  // namespace kubecni
