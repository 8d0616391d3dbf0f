#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "ipam/pool.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Who holds an address: one interface of one container.
struct LeaseOwner {
  std::string container_id;
  std::string ifname;

  auto operator<=>(const LeaseOwner&) const = default;
};

struct Lease {
  IpAddr address;
  LeaseOwner owner;
  std::string netns;    ///< path, as the runtime gave it
  std::string boot_id;  ///< of the boot that the lease was made in
};

/// The address leases of one network, in files, for processes that may be
/// killed at any instruction.
///
///   <state dir>/ipam/<network>/by-owner/<container>:<ifname>   one record ...
///   <state dir>/ipam/<network>/by-address/<address>            ... two names
///   <state dir>/ipam/<network>/cursor                          last address given
///
/// A record is one file with two names (hard links). The owner's name is made
/// first and removed last, so that whoever knows the owner can always finish
/// what a killed process began. Nothing is synced to the disk: leases have to
/// survive a process, and a power cut ends every pod.
class LeaseStore {
 public:
  LeaseStore(const std::filesystem::path& state_dir, const std::string& network)
      : folder_(state_dir / "ipam" / network) {}

  /// Leases the next free address after the one given last, so that an address
  /// just freed is not used again at once.
  /// Errors: EEXIST the owner holds one already; ENOSPC every address is taken;
  /// ETIMEDOUT another process keeps the lock; those of the file system.
  Result<Lease> allocate(const Pool& pool, const LeaseOwner& owner, const std::string& netns);

  /// Frees the owner's address; absent is success.
  Result<> release(const LeaseOwner& owner);

  /// The owner's lease; empty when it has none, also when a killed process did
  /// not get as far as the address.
  /// Errors: EBADMSG the record is damaged.
  Result<std::optional<Lease>> find(const LeaseOwner& owner) const;

  /// How many addresses of `pool` are leased.
  Result<std::uint64_t> used(const Pool& pool) const;

 private:
  [[nodiscard]] std::filesystem::path owner_path(const LeaseOwner& owner) const;
  [[nodiscard]] std::filesystem::path address_path(const IpAddr& address) const;
  [[nodiscard]] Result<std::optional<IpAddr>> next_free(const Pool& pool) const;
  Result<> record(const Lease& lease);
  [[nodiscard]] Result<> free_other_name_of(const std::filesystem::path& owner_path) const;

  std::filesystem::path folder_;
};

}  // namespace kubecni
