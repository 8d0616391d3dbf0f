#pragma once

#include "control/outcome.hpp"
#include "net/link.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <vector>

namespace kubecni {

/// The neighbours that kube-cni made on bridges. Read them before the records of the pods.
std::vector<Neighbour> list_pod_neighbours(NetlinkSocket& netlink, const std::vector<Link>& links,
                                           Outcome& outcome);

/// Gives bridges back the MAC that their pods have for the gateway; `links` follows.
void restore_bridge_macs(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                         std::vector<Link>& links, Outcome& outcome);

/// Removes those of `neighbours` that are of no pod: it ended without a DEL, or its record
/// was lost. `attachments` are all that there are.
void remove_strange_neighbours(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                               const std::vector<Link>& links,
                               const std::vector<Neighbour>& neighbours, Outcome& outcome);

}  // namespace kubecni
