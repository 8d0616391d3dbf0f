#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "ipam/address_index.hpp"
#include "ipam/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Who holds an address: one interface of one container.
struct LeaseOwner {
  std::string container_id;
  std::string ifname;

  [[nodiscard]] std::string key() const { return container_id + ":" + ifname; }
  /// Reads key() back; empty when `key` is none.
  static std::optional<LeaseOwner> from_key(const std::string& key);

  auto operator<=>(const LeaseOwner&) const = default;
};

/// A network namespace, so that another one at the same path is told apart.
struct NetnsIdentity {
  std::string path;  ///< as the runtime gave it
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const NetnsIdentity&) const = default;
};

struct Lease {
  IpAddr address;
  LeaseOwner owner;
  NetnsIdentity netns;
  std::string boot_id;  ///< of the boot that the lease was made in
};

/// The id of the running boot; empty when the kernel does not tell.
std::string current_boot_id();

/// The address leases of one network, in files, for processes that may be
/// killed at any instruction.
///
///   <state dir>/ipam/<network>/by-owner/<container>:<ifname>   one record ...
///   <state dir>/ipam/<network>/by-address/<address>            ... two names
///   <state dir>/ipam/<network>/index                           what is probably free
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
  /// just freed is not used again at once; or the one that is `requested`.
  /// Errors: EEXIST the owner holds one already; ENOSPC every address is taken;
  /// EADDRINUSE the requested one is; EINVAL pods do not get the requested one;
  /// ETIMEDOUT another process keeps the lock; those of the file system.
  Result<Lease> allocate(const Pool& pool, const LeaseOwner& owner, const NetnsIdentity& netns,
                         const std::optional<IpAddr>& requested = {});

  /// Frees the owner's address, and removes what a killed allocate() left; absent is
  /// success.
  Result<> release(const LeaseOwner& owner);

  /// The owner's lease; empty when it has none, also when a killed process did
  /// not get as far as the address.
  /// Errors: EBADMSG the record is damaged.
  [[nodiscard]] Result<std::optional<Lease>> find(const LeaseOwner& owner) const;

  /// Every owner of whom there is a record, also a half-written one.
  [[nodiscard]] Result<std::vector<LeaseOwner>> owners() const;

  /// How many addresses of `pool` are leased. Does not wait for the lock, and
  /// costs the same with any number of leases.
  [[nodiscard]] Result<std::uint64_t> used(const Pool& pool) const;

 private:
  [[nodiscard]] std::filesystem::path owner_path(const LeaseOwner& owner) const;
  [[nodiscard]] std::filesystem::path address_path(const IpAddr& address) const;
  [[nodiscard]] bool is_taken(const IpAddr& address) const;
  [[nodiscard]] Result<AddressIndex> open_index(const Pool& pool) const;
  [[nodiscard]] std::optional<IpAddr> find_free(AddressIndex& index) const;
  [[nodiscard]] Result<IpAddr> choose(const Pool& pool, AddressIndex& index,
                                      const std::optional<IpAddr>& requested) const;
  Result<> record(const Lease& lease);
  [[nodiscard]] Result<> free_address(const IpAddr& address) const;
  [[nodiscard]] Result<> free_other_name_of(const std::filesystem::path& owner_path) const;

  std::filesystem::path folder_;
};

}  // namespace kubecni
