#pragma once

#include "base/result.hpp"
#include "ipam/lease_store.hpp"
#include "net/netlink.hpp"
#include "pods/removal.hpp"

#include <string>

namespace kubecni {

/// Identifies the namespace `netns_fd`, found at `path`.
Result<NetnsIdentity> identify_netns(int netns_fd, const std::string& path);

/// Whether the pod that holds the lease cannot live any more: the lease is from another boot; or
/// the pod's veth is gone, and its namespace's path has nothing or another namespace. Both are
/// checked: a running ADD has no veth yet, and a path may have been unmounted under a living pod.
Result<bool> is_gone(NetlinkSocket& node, const std::string& network, const Lease& lease);

/// Removes the attachments of the network whose pods are gone, and only those, also a record
/// without a lease. Skips pods whose address another plugin holds: only DEL and GC tell that
/// plugin. For a damaged record, which does not tell the namespace, only the veth is checked.
/// Continues after an error. Returns how many; the first error if nothing could be removed.
Result<unsigned> reclaim_gone(const PodPaths& paths, const std::string& network);

}  // namespace kubecni
