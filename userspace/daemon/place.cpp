#include "daemon/place.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "state/files.hpp"

#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
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

/// Whether the process may do what a daemon has to. A container's root may not, and not by a user
/// namespace of its own, either, which has another map.
bool may_be_daemon(pid_t pid) {
  const auto proc = std::filesystem::path("/proc") / std::to_string(pid);
  const auto users = read_file(proc / "uid_map");
  const auto own_users = read_file("/proc/self/uid_map");
  const auto status = read_file(proc / "status");
  if (!users || !own_users || *users != *own_users || !status) return false;
  constexpr std::string_view kField = "\nCapEff:\t";
  const auto at = status->find(kField);
  if (at == std::string::npos) return false;
  const auto capabilities = std::strtoull(status->c_str() + at + kField.size(), nullptr, 16);
  return (capabilities >> CAP_NET_ADMIN & 1) != 0;
}

/// Who listens at the name, if that may be a daemon: anybody may take it, and leave those who ask
/// waiting. Empty also if it is free.
std::optional<pid_t> find_holder() {
  const AbstractName name;
  const auto fd = open_socket();
  if (!fd || ::connect(fd->get(), name.get(), name.size) != 0) return std::nullopt;
  ucred holder{};
  socklen_t size = sizeof(holder);
  if (::getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0 || holder.uid != 0 ||
      !may_be_daemon(holder.pid))
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

/// None if the name is taken by one who is no daemon. Errors: EBUSY another daemon has it.
Result<UniqueFd> take_name() {
  const auto end = std::chrono::steady_clock::now() + kLockTimeout;
  auto bound = bind_name();
  while (!bound && bound.error().code == EADDRINUSE && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
    bound = bind_name();
  }
  if (bound || bound.error().code != EADDRINUSE) return bound;
  // Once: the question stays with the daemon until its next round.
  if (const auto holder = find_holder())
    return failure(EBUSY, "another kube-cnid runs for this node: process " +
                              std::to_string(*holder) + " has the abstract socket @" +
                              std::string(kName) + " of this network namespace");
  log::warn(
      "the name of the daemon's socket is taken; the lock in the run folder alone "
      "keeps a second daemon away",
      {{"socket", "@" + std::string(kName)}, {"see", "ss -xlp"}});
  return UniqueFd();
}

/// So that there is always room for one who asks.
void answer_all(const UniqueFd& socket) {
  if (!socket) return;
  while (UniqueFd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) {
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
  answer_all(socket_);
  if (lock_.is_at(path_)) return false;
  if (auto made = ensure_directory(path_.parent_path()); !made) return fail(made);
  auto lock = FileLock::acquire(path_, kShortLockTimeout);
  if (!lock) return fail(lock);
  lock_ = std::move(*lock);
  return true;
}

}  // namespace kubecni
