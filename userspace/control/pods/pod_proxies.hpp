#pragma once

#include "control/outcome.hpp"
#include "net/link.hpp"
#include "net/neighbour.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <set>
#include <vector>

namespace kubecni {

/// Where pods of a bridge ask for a pod in mode ptp, which their subnet contains: the bridge
/// answers for it, and the node routes. Pods whose host end is not among `links` are gone. Pure.
std::set<NeighbourProxy> plan_pod_proxies(const std::vector<Attachment>& attachments,
                                          const std::vector<Link>& links);

/// Lets pods of a bridge reach pods in mode ptp of the same subnet, as after a change of the mode.
/// Runs in the node's namespace.
void sync_pod_proxies(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                      const std::vector<Link>& links, Outcome& outcome);

}  // namespace kubecni
