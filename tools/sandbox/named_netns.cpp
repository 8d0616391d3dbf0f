#include "sandbox/named_netns.hpp"

#include "base/file.hpp"
#include "net/link.hpp"
#include "net/netns.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <thread>

namespace kubecni {

namespace {

constexpr unsigned kLoopbackIfindex = 1;

/// Leaves the calling thread in the new namespace.
Result<> enter_new_netns(const std::string& path) {
  if (::unshare(CLONE_NEWNET) != 0) return sys_error(errno, "make network namespace " + path);
  if (::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return sys_error(errno, "bind network namespace to " + path);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return set_link_up(*netlink, kLoopbackIfindex);
}

}  // namespace

Result<UniqueFd> create_netns(const std::string& path) {
  const UniqueFd mount_point(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!mount_point) return sys_error(errno, "make " + path);
  Result<> entered;
  std::thread([&] { entered = enter_new_netns(path); }).join();
  if (entered) return open_netns(path);
  if (auto deleted = delete_netns(path); !deleted) return fail(entered, deleted.error().what);
  return fail(entered);
}

Result<> delete_netns(const std::string& path) {
  // EINVAL: nothing is mounted there.
  if (::umount2(path.c_str(), MNT_DETACH) != 0 && errno != ENOENT && errno != EINVAL)
    return sys_error(errno, "unmount " + path);
  return delete_file(path);
}

}  // namespace kubecni
