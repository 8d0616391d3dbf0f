#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace kubecni {

/// Opens the network namespace at `path` ("/var/run/netns/x", "/proc/7/ns/net"). Errors: ENOENT and
/// the others of open(2); EINVAL it is not a network namespace.
Result<UniqueFd> open_netns(const std::string& path);

/// Whether `netns_fd` is the namespace of the calling thread.
Result<bool> is_own_netns(int netns_fd);

/// Moves the calling thread into a network namespace, and back when the guard is destroyed. Aborts
/// the process if it cannot move back: going on would change the wrong host. Not for the daemon's
/// event loop.
class NetnsGuard {
 public:
  /// Errors: those of setns(2); EPERM without CAP_SYS_ADMIN.
  static Result<NetnsGuard> enter(int netns_fd);

  NetnsGuard(NetnsGuard&&) = default;
  NetnsGuard& operator=(NetnsGuard&&) = delete;
  ~NetnsGuard();

 private:
  explicit NetnsGuard(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

}  // namespace kubecni
