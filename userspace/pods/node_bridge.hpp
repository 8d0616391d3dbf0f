#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// ensure_node_bridge(); a bridge that was made anew, by whomever, gets the MAC that living pods
/// have for their gateway, as they learn no other. Where pods know different ones, that of the
/// first record counts.
Result<Link> ensure_bridge_of_pods(NetlinkSocket& node, const AttachmentStore& store,
                                   const std::string& name, const std::vector<IpNet>& addresses,
                                   unsigned mtu_bytes);

/// Gives the bridge that MAC where it has one that none of its pods knows, since somebody else
/// made it anew. Returns whether it had to.
Result<bool> restore_bridge_mac(NetlinkSocket& node, const std::vector<Attachment>& attachments,
                                Link& bridge);

}  // namespace kubecni
