#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// Calls ensure_node_bridge(). A recreated bridge gets the MAC that living pods have for their
/// gateway, as they learn no other. If pods know different ones, that of the first record wins.
Result<Link> ensure_bridge_of_pods(NetlinkSocket& node, const AttachmentStore& store,
                                   const std::string& name, const std::vector<IpNet>& addresses,
                                   unsigned mtu_bytes);

/// Gives the bridge that MAC if none of its pods knows the present one, because somebody else
/// recreated the bridge. Returns whether it had to.
Result<bool> restore_bridge_mac(NetlinkSocket& node, const std::vector<Attachment>& attachments,
                                Link& bridge);

}  // namespace kubecni
