#pragma once

#include "base/result.hpp"
#include "dataplane/endpoint_table.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "net/token_bucket.hpp"
#include "state/attachment.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// All of these work in the node's namespace.

/// The bucket for `limit`, on a link with this MTU. Pure.
TokenBucket plan_token_bucket(const RateLimit& limit, unsigned mtu);

/// The pacer for `limit`, on a link with this MTU. Pure.
Pacer plan_pacer(const RateLimit& limit, unsigned mtu);

/// The device that delays what the pod with this host end sends.
std::string ifb_name_for(const std::string& host_ifname);

/// Limits the pod as its record says. What it receives waits in a token bucket of `host`, the host
/// end of its veth. What it sends is led to an ifb device, waits there, and goes on from `host`.
/// The pod has no part in either. Repeating it changes nothing.
/// Errors: ENODEV the pod is gone; EOPNOTSUPP, ENOENT the kernel lacks a part, and the error says
/// which modules have it.
Result<> ensure_bandwidth(NetlinkSocket& netlink, const Attachment& attachment, const Link& host);

/// What is missing of the pod's limits, a phrase each. `buckets` are those of the node.
Result<std::vector<std::string>> find_bandwidth_losses(NetlinkSocket& netlink,
                                                       const TokenBuckets& buckets,
                                                       const Attachment& attachment,
                                                       const Link& host);

/// Removes what the host end does not take with it when it is deleted. Absent is success.
Result<> remove_bandwidth(NetlinkSocket& netlink, const std::string& host_ifname);

}  // namespace kubecni
