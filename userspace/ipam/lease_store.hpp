#pragma once

#include "base/file_lock.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "ipam/address_index.hpp"
#include "ipam/host_local.hpp"
#include "ipam/lease_record.hpp"
#include "ipam/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// How full a pool set is.
struct PoolUse {
  std::uint64_t used;
  std::uint64_t total;
};

/// The address leases of one network, in files, for processes that may be
/// killed at any instruction.
///
///   <state dir>/ipam/<network>/by-owner/<container>:<ifname>   one record ...
///   <state dir>/ipam/<network>/by-address/<address>            ... its other names
///   <state dir>/ipam/<network>/pools/<first>-<last>            what is probably free
///
/// A record is one file with a name for its owner and one for each of its addresses (hard links).
/// The owner's name is created first and removed last, so any process that knows the owner can
/// finish what a killed process began. Nothing is synced to the disk: leases have to survive a
/// process, and a power cut ends every pod.
class LeaseStore {
 public:
  /// Addresses that `host_local` holds are not given out.
  LeaseStore(const std::filesystem::path& state_dir, const std::string& network,
             HostLocalLeases host_local = {})
      : folder_(state_dir / "ipam" / network), host_local_(std::move(host_local)) {}

  /// Does not give out what `is_in_use` says a pod has, although no record says so: somebody may
  /// have removed the records of living pods. It is asked about each address right before it would
  /// be given out.
  void ask_before_giving(std::function<bool(const IpAddr&)> is_in_use) {
    is_in_use_ = std::move(is_in_use);
  }

  /// Leases one address of each set, all or nothing: the one in `requested` that lies in the set,
  /// else the next free one after the last given out, so that a freed address is not reused at
  /// once. Frees a lease that the owner has from before this boot first.
  /// Errors: EEXIST the owner holds one already; EADDRNOTAVAIL every address of a set is taken;
  /// EADDRINUSE a requested one is taken; EINVAL pods cannot get a requested one, or two are in one
  /// set; ETIMEDOUT another process keeps the lock; ENOSPC, EROFS and the others of the file
  /// system.
  Result<Lease> allocate(const std::vector<PoolSet>& sets, const LeaseOwner& owner,
                         const NetnsIdentity& netns, const std::vector<IpAddr>& requested = {});

  /// Records the lease of a living pod again, after somebody removed one of its names or all.
  /// Whether the pod lives is asked under the lock, so that no DEL has freed the lease. Returns
  /// whether it had to.
  /// Errors: EADDRINUSE another owner has one of the addresses by now; those of `lives`; as of
  /// allocate().
  Result<bool> restore(const Lease& lease, const std::function<Result<bool>()>& lives);

  /// Frees the owner's addresses, and removes what a killed allocate() left; absent is success.
  /// Needs no disk space.
  Result<> release(const LeaseOwner& owner);

  /// The owner's lease; empty if it has none, or a killed process did not record the last address.
  /// Errors: EBADMSG the record is damaged.
  [[nodiscard]] Result<std::optional<Lease>> find(const LeaseOwner& owner) const;

  /// The content of the owner's record, even if the owner does not hold all of it; empty if there
  /// is none. Errors: EBADMSG the record is damaged.
  [[nodiscard]] Result<std::optional<Lease>> find_record(const LeaseOwner& owner) const;

  /// Every owner with a record, also a half-written one.
  [[nodiscard]] Result<std::vector<LeaseOwner>> owners() const;

  /// How full each set is. Does not wait for the lock. For pools of up to 2^20 addresses, the cost
  /// does not depend on the number of leases.
  [[nodiscard]] Result<std::vector<PoolUse>> used(const std::vector<PoolSet>& sets) const;

  /// How full each pool is that ever had a lease; `total` is its size. Addresses that `host_local`
  /// holds count as used. Costs the same as used().
  [[nodiscard]] Result<std::vector<std::pair<Pool, PoolUse>>> pools_in_use() const;

  /// What calls of this object have repaired, a phrase each, for the log.
  [[nodiscard]] const std::vector<std::string>& repairs() const { return repairs_; }

 private:
  [[nodiscard]] std::filesystem::path owner_path(const LeaseOwner& owner) const;
  [[nodiscard]] std::filesystem::path address_path(const IpAddr& address) const;
  [[nodiscard]] std::filesystem::path pools_path() const { return folder_ / "pools"; }
  [[nodiscard]] bool has_record(const IpAddr& address) const;
  [[nodiscard]] bool is_foreign(const IpAddr& address) const;
  [[nodiscard]] Result<FileLock> lock_folder() const;
  [[nodiscard]] Result<std::vector<IpAddr>> recorded_addresses() const;
  [[nodiscard]] Result<AddressIndex> open_index(const Pool& pool);
  [[nodiscard]] std::optional<IpAddr> find_free(AddressIndex& index) const;
  [[nodiscard]] Result<IpAddr> choose(const PoolSet& set, const std::vector<IpAddr>& requested);
  [[nodiscard]] Result<IpAddr> choose_free(const PoolSet& set);
  Result<> make_room_for(const LeaseOwner& owner);
  Result<> record(const Lease& lease);
  [[nodiscard]] Result<std::vector<IpAddr>> names_left(const Lease& lease) const;
  void mark_taken(const std::vector<IpAddr>& addresses) const;
  Result<> release_locked(const LeaseOwner& owner);
  [[nodiscard]] bool is_held_by(const IpAddr& address, const LeaseOwner& owner) const;
  [[nodiscard]] Result<std::vector<IpAddr>> addresses_held_by(const LeaseOwner& owner) const;
  [[nodiscard]] Result<std::uint64_t> used_of(const Pool& pool) const;

  std::filesystem::path folder_;
  HostLocalLeases host_local_;
  std::function<bool(const IpAddr&)> is_in_use_;
  std::vector<std::string> repairs_;
};

}  // namespace kubecni
