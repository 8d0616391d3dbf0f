#include "net/netns.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>

namespace kubecni {

namespace {
constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";
}

Result<UniqueFd> open_netns(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return sys_error(errno, "open network namespace " + path);
  struct statfs fs{};
  if (::fstatfs(fd.get(), &fs) != 0) return sys_error(errno, "statfs " + path);
  if (fs.f_type != NSFS_MAGIC || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return failure(EINVAL, path + " is not a network namespace");
  return fd;
}

Result<bool> is_own_netns(int netns_fd) {
  struct stat own{};
  struct stat other{};
  if (::stat(kOwnNetns, &own) != 0) return sys_error(errno, kOwnNetns);
  if (::fstat(netns_fd, &other) != 0) return sys_error(errno, "stat network namespace");
  return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

Result<NetnsGuard> NetnsGuard::enter(int netns_fd) {
  UniqueFd home(::open(kOwnNetns, O_RDONLY | O_CLOEXEC));
  if (!home) return sys_error(errno, kOwnNetns);
  if (::setns(netns_fd, CLONE_NEWNET) != 0) return sys_error(errno, "enter network namespace");
  return NetnsGuard(std::move(home));
}

NetnsGuard::~NetnsGuard() {
  if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

}  // namespace kubecni
