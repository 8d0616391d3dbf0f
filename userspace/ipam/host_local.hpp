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

/// When this boot began, since the epoch. Setting the clock later does not move it.
std::chrono::nanoseconds boot_time();

/// The leases that the reference plugin `host-local` left of one network, for a
/// node that changes over while pods live:
///
///   <data dir>/<network>/<address>            "<container>\r\n<ifname>"
///   <data dir>/<network>/last_reserved_ip.N   not needed
///   <data dir>/<network>/lock                 flock(2)
///
/// The files do not name the namespace. So an address stays taken until DEL of its container or GC
/// removes the file. A file from before this boot belongs to a pod that died with it, and keeps
/// nothing. Without such a folder, everything here costs one access(2).
class HostLocalLeases {
 public:
  /// Without a folder: nothing is taken.
  HostLocalLeases() = default;
  /// An empty `data_dir` means no folder.
  HostLocalLeases(const std::filesystem::path& data_dir, const std::string& network,
                  std::chrono::nanoseconds booted = boot_time());

  /// Keeps a running host-local from changing the leases; empty if there is no folder. Errors:
  /// those of FileLock::acquire().
  [[nodiscard]] Result<std::optional<FileLock>> lock() const;
  /// Whether a pod that may live has `address`. The cost does not depend on the number of leases.
  [[nodiscard]] bool holds(const IpAddr& address) const;
  /// All addresses of pods that may live. Errors: those of list_directory().
  [[nodiscard]] Result<std::vector<IpAddr>> addresses() const;

  /// Removes the owner's files, and returns their addresses; none is success. Takes the lock
  /// itself.
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
