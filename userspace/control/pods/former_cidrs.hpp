#pragma once

#include "cluster/cluster_view.hpp"
#include "control/outcome.hpp"
#include "net/address.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// What is left on this node of PodCIDRs that it had before, after its Node object was
/// deleted and made anew.
struct FormerCidrs {
  /// Gateways on the bridge, in a PodCIDR that is another node's now: the kernel looks
  /// for that node's pods on the bridge as long as they are there.
  std::vector<IpNet> gateways;
  /// Warnings of pods whose addresses are in none of this node's PodCIDRs: other nodes do not reach
  /// them. The pods stay as they are.
  std::vector<std::string> pods;
};

/// `on_bridge` are the addresses of `bridge`. Pods of other bridges are of other networks; those of
/// mode ptp are on none. A gateway that a pod here still has is not given up. Pure.
FormerCidrs plan_former_cidrs(const ClusterView& view, const std::string& bridge,
                              const std::vector<IpNet>& on_bridge,
                              const std::vector<Attachment>& attachments);

/// Takes such gateways off `bridge`, if it is among `links`, and says which pods those are. Runs in
/// the node's namespace.
void sync_former_cidrs(NetlinkSocket& netlink, const ClusterView& view, const std::string& bridge,
                       const std::vector<Link>& links, const std::vector<Attachment>& attachments,
                       Outcome& outcome);

}  // namespace kubecni
