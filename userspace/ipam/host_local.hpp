#pragma once

#include "base/file_lock.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "ipam/lease_record.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

namespace kubecni {

/// When this boot began, since the epoch. A clock that was set later does not
/// make it later than it was.
std::chrono::nanoseconds boot_time();

/// The leases that the reference plugin `host-local` left of one network, for a
/// node that changes over while pods live:
///
///   <data dir>/<network>/<address>            "<container>\r\n<ifname>"
///   <data dir>/<network>/last_reserved_ip.N   not needed
///   <data dir>/<network>/lock                 flock(2)
///
/// They do not say which namespace they are for. So an address stays taken as
/// long as its file is there, until DEL of its container or GC removes the file.
/// A file from before this boot is of a pod that died with it, and keeps nothing.
/// Where there is no such folder, everything here costs one access(2).
class HostLocalLeases {
 public:
  /// Of no folder: nothing is taken.
  HostLocalLeases() = default;
  /// With an empty `data_dir`: of no folder.
  HostLocalLeases(const std::filesystem::path& data_dir, const std::string& network,
                  std::chrono::nanoseconds booted = boot_time());

  /// Keeps a host-local that still runs from changing the leases; empty when
  /// there is no folder. Errors: those of FileLock::acquire().
  [[nodiscard]] Result<std::optional<FileLock>> lock() const;
  /// Whether a pod that may live has `address`. Costs the same with any number of them.
  [[nodiscard]] bool holds(const IpAddr& address) const;
  /// All that pods may have that live. Errors: those of list_directory().
  [[nodiscard]] Result<std::vector<IpAddr>> addresses() const;

  /// Removes the files of the owner, and returns their addresses; none is
  /// success. Takes the lock itself.
  Result<std::vector<IpAddr>> release(const LeaseOwner& owner) const;
  /// Removes the files whose owner is not among `valid`. Takes the lock itself.
  Result<std::vector<IpAddr>> release_all_but(const std::vector<LeaseOwner>& valid) const;

 private:
  template <typename IsToGo>
  Result<std::vector<IpAddr>> remove_where(IsToGo is_to_go) const;
  [[nodiscard]] Result<std::vector<IpAddr>> files() const;

  std::filesystem::path folder_;  ///< empty: there is none
  std::chrono::nanoseconds booted_{};
};

}  // namespace kubecni
