#pragma once

#include "base/result.hpp"
#include "ipam/lease_store.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// Where a node keeps the records of its pods.
struct PodPaths {
  std::filesystem::path state_dir;
  std::filesystem::path bpffs;
};

/// Undoes whatever of an attachment there is, finished or not: map entries,
/// programs, veth, limits, host ports, policies, UDP flows that are translated to it, lease,
/// record. It needs neither the pod's namespace nor any of the records: names are computed, and
/// what is absent is fine. Runs in the node's namespace, also several times at once. Returns the
/// addresses that were freed; none when there were none, or when the record was damaged.
Result<std::vector<IpAddr>> remove_attachment(const PodPaths& paths, const std::string& network,
                                              const LeaseOwner& owner);

/// What is wrong with the attachment's records; empty if nothing. For messages only:
/// remove_attachment() works without them.
std::string find_damage(const PodPaths& paths, const std::string& network, const LeaseOwner& owner);

/// The networks that ever had a lease.
Result<std::vector<std::string>> list_networks(const PodPaths& paths);

/// Every attachment of the network that has anything on disk.
Result<std::vector<LeaseOwner>> list_attachments(const PodPaths& paths, const std::string& network);

}  // namespace kubecni
