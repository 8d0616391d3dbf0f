#include "daemon/place.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "state/files.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>

namespace kubecni {

namespace {

constexpr std::chrono::seconds kLockTimeout{5};
constexpr std::chrono::seconds kShortLockTimeout{1};
constexpr std::chrono::milliseconds kPause{20};
/// `ss -xl` shows it with an @ in front.
constexpr std::string_view kName = "kube-cni/kube-cnid";

struct AbstractName {
  sockaddr_un address{};
  socklen_t size = 0;

  AbstractName() {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, kName.data(), kName.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Result<UniqueFd> open_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return sys_error(errno, "open socket");
  return fd;
}

/// Who listens at the name, if that is root: anybody may take it. Empty also if it is free.
std::optional<pid_t> find_holder() {
  const AbstractName name;
  const auto fd = open_socket();
  if (!fd || ::connect(fd->get(), name.get(), name.size) != 0) return std::nullopt;
  ucred holder{};
  socklen_t size = sizeof(holder);
  if (::getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0 || holder.uid != 0)
    return std::nullopt;
  return holder.pid;
}

/// Errors: EADDRINUSE.
Result<UniqueFd> bind_name() {
  const AbstractName name;
  auto fd = open_socket();
  if (!fd) return fd;
  if (::bind(fd->get(), name.get(), name.size) != 0 || ::listen(fd->get(), SOMAXCONN) != 0)
    return sys_error(errno, "take the abstract socket @" + std::string(kName));
  return fd;
}

/// None if the name is taken by one who is not root. Errors: EBUSY another daemon has it.
Result<UniqueFd> take_name() {
  const auto end = std::chrono::steady_clock::now() + kLockTimeout;
  for (;;) {
    auto bound = bind_name();
    if (bound || bound.error().code != EADDRINUSE) return bound;
    const auto holder = find_holder();
    const bool is_late = std::chrono::steady_clock::now() >= end;
    if (is_late && holder)
      return failure(EBUSY, "another kube-cnid runs for this node: process " +
                                std::to_string(*holder) + " has the abstract socket @" +
                                std::string(kName) + " of this network namespace");
    if (is_late) {
      log::warn(
          "the name of the daemon's socket is taken; the lock in the run folder alone "
          "keeps a second daemon away",
          {{"socket", "@" + std::string(kName)}, {"see", "ss -xlp"}});
      return UniqueFd();
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Result<DaemonPlace> DaemonPlace::take(const std::filesystem::path& run_dir) {
  if (auto made = ensure_directory(run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(run_dir / kDaemonLock, kLockTimeout);
  if (!lock && lock.error().code == ETIMEDOUT)
    return failure(EBUSY, "another kube-cnid runs for this node: " + lock.error().what);
  if (!lock) return fail(lock);
  auto socket = take_name();
  if (!socket) return fail(socket);
  return DaemonPlace(run_dir / kDaemonLock, std::move(*lock), std::move(*socket));
}

Result<bool> DaemonPlace::keep() {
  if (lock_.is_at(path_)) return false;
  if (auto made = ensure_directory(path_.parent_path()); !made) return fail(made);
  auto lock = FileLock::acquire(path_, kShortLockTimeout);
  if (!lock) return fail(lock);
  lock_ = std::move(*lock);
  return true;
}

}  // namespace kubecni
