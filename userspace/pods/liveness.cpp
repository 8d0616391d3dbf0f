#include "pods/liveness.hpp"

#include "dataplane/attachment.hpp"
#include "net/link.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <optional>

namespace kubecni {

Result<NetnsIdentity> identify_netns(int netns_fd, const std::string& path) {
  struct stat netns{};
  if (::fstat(netns_fd, &netns) != 0) return sys_error(errno, "stat network namespace " + path);
  return NetnsIdentity{path, netns.st_dev, netns.st_ino};
}

Result<bool> is_gone(NetlinkSocket& node, const std::string& network, const Lease& lease) {
  if (lease.boot_id != current_boot_id()) return true;
  auto host =
      find_link(node, host_ifname_for(network, lease.owner.container_id, lease.owner.ifname));
  if (!host) return fail(host);
  if (*host) return false;
  struct stat netns{};
  const bool same_netns = ::stat(lease.netns.path.c_str(), &netns) == 0 &&
                          netns.st_dev == lease.netns.device && netns.st_ino == lease.netns.inode;
  return !same_netns;
}

Result<unsigned> reclaim_gone(const PodPaths& paths, const std::string& network) {
  auto node = NetlinkSocket::open();
  if (!node) return fail(node);
  const LeaseStore leases(paths.state_dir, network);
  auto owners = leases.owners();
  if (!owners) return fail(owners);
  unsigned removed = 0;
  std::optional<Error> first_error;
  for (const LeaseOwner& owner : *owners) {
    auto lease = leases.find(owner);
    if (!lease || !*lease) continue;  // damaged or half-written: a DEL or GC decides
    auto gone = is_gone(*node, network, **lease);
    if (!gone) return fail(gone);
    if (!*gone) continue;
    if (auto done = remove_attachment(paths, network, owner); done)
      ++removed;
    else if (!first_error)
      first_error = done.error();
  }
  if (removed == 0 && first_error) return std::unexpected(*first_error);
  return removed;
}

}  // namespace kubecni
