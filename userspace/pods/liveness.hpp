#pragma once

#include "base/result.hpp"
#include "ipam/lease_store.hpp"
#include "net/netlink.hpp"
#include "pods/removal.hpp"

#include <string>

namespace kubecni {

/// Which namespace `netns_fd` is, found at `path`.
Result<NetnsIdentity> identify_netns(int netns_fd, const std::string& path);

/// Whether the pod that holds the lease cannot live any more: the lease is of
/// another boot; or the pod's veth is gone, as it is when its namespace is, and
/// at the namespace's path there is nothing, or another one. Both are asked,
/// since an ADD that is on its way has no veth yet, and a path may have been
/// unmounted under a living pod.
Result<bool> is_gone(NetlinkSocket& node, const std::string& network, const Lease& lease);

/// Removes the attachments of the network whose pods are gone, and only those; but not
/// where another plugin holds the address: DEL and GC tell it, and nobody else. Of
/// a damaged record, which does not tell the namespace, only the veth is asked.
/// Goes on after an error. Returns how many; the first error if nothing could
/// be removed at all.
Result<unsigned> reclaim_gone(const PodPaths& paths, const std::string& network);

}  // namespace kubecni
