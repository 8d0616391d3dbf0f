#include "ipam/host_local.hpp"

#include "base/file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace kubecni {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kFolderLockTimeout{10};

template <typename Stamp>  // timespec and statx_timestamp
nanoseconds since_epoch(const Stamp& stamp) {
  return seconds(stamp.tv_sec) + nanoseconds(stamp.tv_nsec);
}

nanoseconds now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return since_epoch(time);
}

/// Older versions of host-local wrote no interface name.
bool is_of(const LeaseOwner& lease, const LeaseOwner& owner) {
  return lease.container_id == owner.container_id &&
         (lease.ifname.empty() || lease.ifname == owner.ifname);
}

LeaseOwner parse_owner(const std::string& content) {
  const auto trimmed = [](std::string text) {
    text.erase(0, text.find_first_not_of(" \t\r\n"));
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text;
  };
  const auto end = content.find('\n');
  if (end == std::string::npos) return {trimmed(content), ""};
  return {trimmed(content.substr(0, end)), trimmed(content.substr(end))};
}

}  // namespace

nanoseconds boot_time() {
  const nanoseconds by_clock = now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME);
  // A node without a clock battery boots with an old time, and starts pods before the network
  // corrects it. /run is older than these pods.
  struct statfs system{};
  struct statx run{};
  if (::statfs("/run", &system) != 0 || system.f_type != TMPFS_MAGIC ||
      ::statx(AT_FDCWD, "/run", 0, STATX_BTIME, &run) != 0 || !(run.stx_mask & STATX_BTIME))
    return by_clock;
  return std::min(by_clock, since_epoch(run.stx_btime));
}

HostLocalLeases::HostLocalLeases(const std::filesystem::path& data_dir, const std::string& network,
                                 nanoseconds booted)
    : booted_(booted) {
  if (data_dir.empty()) return;
  const auto folder = data_dir / network;
  if (::access(folder.c_str(), F_OK) == 0) folder_ = folder;
}

Result<std::optional<FileLock>> HostLocalLeases::lock() const {
  if (folder_.empty()) return std::nullopt;
  auto lock = FileLock::acquire(folder_ / "lock", kFolderLockTimeout);
  if (!lock) return fail(lock, "leases of host-local");
  return std::move(*lock);
}

bool HostLocalLeases::holds(const IpAddr& address) const {
  struct stat file{};
  if (folder_.empty() || ::stat((folder_ / address.str()).c_str(), &file) != 0) return false;
  return since_epoch(file.st_mtim) >= booted_;
}

Result<std::vector<IpAddr>> HostLocalLeases::files() const {
  std::vector<IpAddr> all;
  if (folder_.empty()) return all;
  auto names = list_directory(folder_);
  if (!names) return fail(names, "leases of host-local");
  for (const auto& name : *names) {
    if (const auto address = IpAddr::parse(name)) all.push_back(*address);
  }
  return all;
}

Result<std::vector<IpAddr>> HostLocalLeases::addresses() const {
  auto all = files();
  if (!all) return all;
  std::erase_if(*all, [this](const IpAddr& address) { return !holds(address); });
  return all;
}

template <typename IsToGo>
Result<std::vector<IpAddr>> HostLocalLeases::remove_where(IsToGo is_to_go) const {
  auto all = files();
  if (!all || all->empty()) return all;
  auto held = lock();
  if (!held) return fail(held);
  std::vector<IpAddr> removed;
  for (const IpAddr& address : *all) {
    const auto path = folder_ / address.str();
    auto content = read_file(path);
    if (!content && content.error().code == ENOENT) continue;
    if (!content) return fail(content, "lease of host-local");
    if (!is_to_go(parse_owner(*content))) continue;
    if (auto deleted = delete_file(path); !deleted) return fail(deleted, "lease of host-local");
    removed.push_back(address);
  }
  return removed;
}

Result<std::vector<IpAddr>> HostLocalLeases::release(const LeaseOwner& owner) const {
  return remove_where([&](const LeaseOwner& lease) { return is_of(lease, owner); });
}

Result<std::vector<IpAddr>> HostLocalLeases::release_all_but(
    const std::vector<LeaseOwner>& valid) const {
  // A killed host-local leaves an empty file: no pod got that address.
  return remove_where([&](const LeaseOwner& lease) {
    return std::ranges::none_of(valid, [&](const auto& owner) { return is_of(lease, owner); });
  });
}

}  // namespace kubecni
