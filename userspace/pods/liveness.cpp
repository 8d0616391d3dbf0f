#include "pods/liveness.hpp"

#include "base/boot_id.hpp"
#include "net/link.hpp"
#include "state/attachment.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <optional>

namespace kubecni {

Result<NetnsIdentity> identify_netns(int netns_fd, const std::string& path) {
  struct stat netns{};
  if (::fstat(netns_fd, &netns) != 0) return sys_error(errno, "stat network namespace " + path);
  return NetnsIdentity{path, netns.st_dev, netns.st_ino};
}

namespace {

/// Whether a namespace at `path` would be visible if it existed: a container may not have its
/// folder. The folders of /proc go with their process.
bool can_see(const std::filesystem::path& path) {
  std::error_code ignored;
  return path.native().starts_with("/proc/") ||
         std::filesystem::exists(path.parent_path(), ignored);
}

Result<bool> has_veth(NetlinkSocket& node, const std::string& network, const LeaseOwner& owner) {
  auto host = find_link(node, host_ifname_for(network, owner.container_id, owner.ifname));
  if (!host) return fail(host);
  return host->has_value();
}

bool is_absent(const std::string& netns_path) {
  struct stat netns{};
  // EACCES: /proc/<pid>/ns/net of a living process, without CAP_SYS_PTRACE.
  return ::stat(netns_path.c_str(), &netns) != 0 && (errno == ENOENT || errno == ENOTDIR) &&
         can_see(netns_path);
}

/// For an owner without a lease. An ADD that has not written its lease yet has no record, either.
Result<bool> left_record(NetlinkSocket& node, const PodPaths& paths, const std::string& network,
                         const LeaseOwner& owner) {
  auto record = AttachmentStore(paths.state_dir).find(network, owner.container_id, owner.ifname);
  const bool is_damaged = !record && record.error().code == EBADMSG;
  if (!record && !is_damaged) return fail(record);
  if (record && (!*record || !is_absent((*record)->netns))) return false;
  auto veth = has_veth(node, network, owner);
  if (!veth) return veth;
  return !*veth;
}

/// Like is_gone(), for an owner that may have no readable record.
Result<bool> is_gone(NetlinkSocket& node, const PodPaths& paths, const std::string& network,
                     const LeaseStore& leases, const LeaseOwner& owner) {
  auto lease = leases.find_record(owner);
  if (lease && *lease) return is_gone(node, network, **lease);
  if (lease) return left_record(node, paths, network, owner);
  if (lease.error().code != EBADMSG) return fail(lease);
  // A damaged record does not belong to a running ADD: that has just written it.
  auto veth = has_veth(node, network, owner);
  if (!veth) return veth;
  return !*veth;
}

}  // namespace

Result<bool> is_gone(NetlinkSocket& node, const std::string& network, const Lease& lease) {
  if (lease.boot_id != current_boot_id()) return true;
  auto veth = has_veth(node, network, lease.owner);
  if (!veth || *veth) return veth ? Result<bool>(false) : veth;
  struct stat netns{};
  if (::stat(lease.netns.path.c_str(), &netns) != 0) return is_absent(lease.netns.path);
  return netns.st_dev != lease.netns.device || netns.st_ino != lease.netns.inode;
}

Result<unsigned> reclaim_gone(const PodPaths& paths, const std::string& network) {
  auto node = NetlinkSocket::open();
  if (!node) return fail(node);
  const LeaseStore leases(paths.state_dir, network);
  auto owners = list_attachments(paths, network);
  if (!owners) return fail(owners);
  unsigned removed = 0;
  std::optional<Error> first_error;
  for (const LeaseOwner& owner : *owners) {
    auto gone = is_gone(*node, paths, network, leases, owner);
    if (gone && !*gone) continue;
    // Another plugin holds its address, and would never learn that it is free.
    auto lease = leases.find_record(owner);
    if (lease && *lease && (*lease)->addresses.empty()) continue;
    auto done = gone ? remove_attachment(paths, network, owner) : fail(gone);
    if (done)
      ++removed;
    else if (!first_error)
      first_error = done.error();
  }
  if (removed == 0 && first_error) return std::unexpected(*first_error);
  return removed;
}

}  // namespace kubecni
