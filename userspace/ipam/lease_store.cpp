#include "ipam/lease_store.hpp"

#include "base/boot_id.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>

namespace kubecni {

namespace {

// A runtime waits minutes for an ADD, and an allocation takes well under a millisecond.
constexpr std::chrono::seconds kLockTimeout{10};

bool contains(const PoolSet& set, const IpAddr& address) {
  return std::ranges::any_of(set, [&](const Pool& pool) { return pool.contains(address); });
}

std::uint64_t total_of(const PoolSet& set) {
  std::uint64_t total = 0;
  // Four IPv6 pools exceed the range of the type; the sum then stays at three.
  for (const Pool& pool : set) total = std::max(total, total + pool.size());
  return total;
}

/// Each requested address must be in a set, and at most one in each set.
Result<> check_requested(const std::vector<PoolSet>& sets, const std::vector<IpAddr>& requested) {
  std::string subnets;
  for (const PoolSet& set : sets) append_word(subnets, describe(set));
  for (const IpAddr& address : requested) {
    if (!find_pool(sets, address))
      return failure(
          EINVAL, "the requested address " + address.str() + " is not a pod address in " + subnets);
  }
  for (const PoolSet& set : sets) {
    std::vector<IpAddr> of_set = requested;
    std::erase_if(of_set, [&](const IpAddr& address) { return !contains(set, address); });
    if (of_set.size() > 1)
      return failure(EINVAL, "the requested addresses " + joined(of_set) + " are all in " +
                                 describe(set) + "; a pod gets one of these");
  }
  return {};
}

}  // namespace

std::filesystem::path LeaseStore::owner_path(const LeaseOwner& owner) const {
  // ':' occurs in no container id and no interface name.
  return folder_ / "by-owner" / owner.key();
}

std::filesystem::path LeaseStore::address_path(const IpAddr& address) const {
  return folder_ / "by-address" / address.str();
}

bool LeaseStore::has_record(const IpAddr& address) const {
  return ::access(address_path(address).c_str(), F_OK) == 0;
}

/// Whether somebody has the address of whom no record says so.
bool LeaseStore::is_foreign(const IpAddr& address) const {
  return host_local_.holds(address) || (is_in_use_ && is_in_use_(address));
}

Result<FileLock> LeaseStore::lock_folder() const {
  for (const char* part : {"by-owner", "by-address", "pools"}) {
    if (auto made = ensure_directory(folder_ / part); !made) return fail(made);
  }
  return FileLock::acquire(folder_ / "lock", kLockTimeout);
}

Result<std::vector<IpAddr>> LeaseStore::recorded_addresses() const {
  auto names = list_directory(folder_ / "by-address");
  if (!names) return fail(names);
  std::vector<IpAddr> addresses;
  for (const auto& name : *names) {
    if (const auto address = IpAddr::parse(name)) addresses.push_back(*address);
  }
  return addresses;
}

Result<AddressIndex> LeaseStore::open_index(const Pool& pool) {
  const auto path = AddressIndex::path_of(pools_path(), pool);
  auto existing = AddressIndex::open(path);
  if (existing && existing->pool() == pool) return std::move(*existing);
  if (!existing && ::access(path.c_str(), F_OK) == 0)
    repairs_.push_back("index " + path.string() + " was damaged and is made anew");
  auto taken = recorded_addresses();
  if (!taken) return fail(taken);
  return AddressIndex::create(path, pool, *taken);
}

std::optional<IpAddr> LeaseStore::find_free(AddressIndex& index) const {
  return index.find_free([&](const IpAddr& address) {
    if (!has_record(address)) return is_foreign(address);
    index.mark_taken(address);  // a process was killed in between
    return true;
  });
}

Result<IpAddr> LeaseStore::choose_free(const PoolSet& set) {
  for (const Pool& pool : set) {
    auto index = open_index(pool);
    if (!index) return fail(index);
    auto address = find_free(*index);
    if (!address && index->taken()) {
      // Somebody may have removed records by hand, which shows only here.
      auto taken = recorded_addresses();
      if (!taken) return fail(taken);
      auto anew = AddressIndex::create(AddressIndex::path_of(pools_path(), pool), pool, *taken);
      if (!anew) return fail(anew);
      address = find_free(*anew);
      if (address) anew->move_past(*address);
    }
    if (!address) continue;
    index->move_past(*address);
    return *address;
  }
  const std::string total = std::to_string(total_of(set));
  return failure(EADDRNOTAVAIL, "no free address in " + describe(set) + ": " + total + " of " +
                                    total +
                                    " are in use; delete pods, or give the node a larger subnet");
}

Result<IpAddr> LeaseStore::choose(const PoolSet& set, const std::vector<IpAddr>& requested) {
  const auto wish = std::ranges::find_if(
      requested, [&](const IpAddr& address) { return contains(set, address); });
  if (wish == requested.end()) return choose_free(set);
  if (has_record(*wish) || is_foreign(*wish))
    return failure(EADDRINUSE, "the requested address " + wish->str() + " is in use");
  return *wish;
}

/// The owner's name comes first: see the class.
Result<> LeaseStore::record(const Lease& lease) {
  const auto by_owner = owner_path(lease.owner);
  if (auto written = write_file_atomically(by_owner, to_text(lease), 0600); !written)
    return fail(written);
  for (const IpAddr& address : lease.addresses) {
    const auto by_address = address_path(address);
    if (::link(by_owner.c_str(), by_address.c_str()) == 0) continue;
    const int code = errno;
    const auto undone = release_locked(lease.owner);
    return sys_error(
        code, "link " + by_address.string() + (undone ? "" : " (" + undone.error().what + ")"));
  }
  return {};
}

/// In every index: pools of another configuration may contain the address, too.
void LeaseStore::mark_taken(const std::vector<IpAddr>& addresses) const {
  for (AddressIndex& index : AddressIndex::open_all(pools_path()))
    for (const IpAddr& address : addresses) index.mark_taken(address);
}

/// A runtime that keeps container ids may not know that the containers ended with the boot.
Result<> LeaseStore::make_room_for(const LeaseOwner& owner) {
  if (::access(owner_path(owner).c_str(), F_OK) != 0) return {};
  auto lease = read_lease(owner_path(owner));
  if (lease && *lease && (*lease)->boot_id != current_boot_id()) {
    repairs_.push_back("lease of " + joined((*lease)->addresses) + " from before this boot freed");
    return release_locked(owner);
  }
  return failure(EEXIST, "container " + owner.container_id + " already has an address for " +
                             owner.ifname + "; DEL it first");
}

Result<Lease> LeaseStore::allocate(const std::vector<PoolSet>& sets, const LeaseOwner& owner,
                                   const NetnsIdentity& netns,
                                   const std::vector<IpAddr>& requested) {
  if (auto checked = check_requested(sets, requested); !checked) return fail(checked);
  auto lock = lock_folder();
  if (!lock) return fail(lock, "allocate address");
  auto host_local_lock = host_local_.lock();
  if (!host_local_lock) return fail(host_local_lock, "allocate address");
  if (auto room = make_room_for(owner); !room) return fail(room);

  Lease lease{{}, owner, netns, current_boot_id()};
  for (const PoolSet& set : sets) {
    auto address = choose(set, requested);
    if (!address) return fail(address);
    lease.addresses.push_back(*address);
  }
  if (auto recorded = record(lease); !recorded) return fail(recorded, "allocate address");
  mark_taken(lease.addresses);
  return lease;
}

/// Those addresses of the lease whose names are still there. Errors: EADDRINUSE one is another's.
Result<std::vector<IpAddr>> LeaseStore::names_left(const Lease& lease) const {
  std::vector<IpAddr> left;
  for (const IpAddr& address : lease.addresses) {
    auto holder = read_lease(address_path(address));
    if (!holder) return fail(holder);
    if (!*holder) continue;
    if ((*holder)->owner != lease.owner)
      return failure(EADDRINUSE, "address " + address.str() + " of container " +
                                     lease.owner.container_id +
                                     ", whose lease was removed, was given to another; delete one"
                                     " of the pods that have it");
    left.push_back(address);
  }
  return left;
}

Result<bool> LeaseStore::restore(const Lease& lease, const std::function<Result<bool>()>& lives) {
  auto lock = lock_folder();
  if (!lock) return fail(lock, "restore lease");
  if (auto alive = lives(); !alive || !*alive) return alive;
  auto current = find_record(lease.owner);
  if (!current) return fail(current, "restore lease");
  if (*current && (*current)->addresses != lease.addresses)
    return false;  // an ADD has made another
  auto left = names_left(lease);
  if (!left) return fail(left);
  if (*current && left->size() == lease.addresses.size()) return false;
  // All names become those of one file again.
  for (const IpAddr& address : *left) {
    if (auto deleted = delete_file(address_path(address)); !deleted) return fail(deleted);
  }
  if (auto recorded = record(lease); !recorded) return fail(recorded, "restore lease");
  mark_taken(lease.addresses);
  return true;
}

bool LeaseStore::is_held_by(const IpAddr& address, const LeaseOwner& owner) const {
  std::error_code ignored;
  if (std::filesystem::equivalent(address_path(address), owner_path(owner), ignored)) return true;
  // The owner's own record may have been replaced by another file.
  const auto record = read_lease(address_path(address));
  return record && *record && (*record)->owner == owner;
}

/// The addresses to free when the owner goes. If the record is damaged, checks every address.
Result<std::vector<IpAddr>> LeaseStore::addresses_held_by(const LeaseOwner& owner) const {
  auto lease = read_lease(owner_path(owner));
  if (!lease && lease.error().code != EBADMSG) return fail(lease);
  if (lease && !*lease) return std::vector<IpAddr>{};
  auto addresses = lease ? Result<std::vector<IpAddr>>((*lease)->addresses) : recorded_addresses();
  if (!addresses) return addresses;
  std::erase_if(*addresses, [&](const IpAddr& address) { return !is_held_by(address, owner); });
  return addresses;
}

Result<> LeaseStore::release_locked(const LeaseOwner& owner) {
  auto addresses = addresses_held_by(owner);
  if (!addresses) return fail(addresses);
  // This order: if killed in between, an index only marks too few.
  if (!addresses->empty()) {
    for (AddressIndex& index : AddressIndex::open_all(pools_path()))
      for (const IpAddr& address : *addresses) index.mark_free(address);
  }
  for (const IpAddr& address : *addresses) {
    if (auto freed = delete_file(address_path(address)); !freed) return freed;
  }
  if (auto removed = delete_file(unfinished_name(owner_path(owner))); !removed) return removed;
  return delete_file(owner_path(owner));
}

Result<> LeaseStore::release(const LeaseOwner& owner) {
  auto lock = FileLock::acquire(folder_ / "lock", kLockTimeout);
  if (!lock && lock.error().code == ENOENT) return {};  // the network never had a lease
  if (!lock) return fail(lock, "release address");
  if (auto released = release_locked(owner); !released) return fail(released, "release address");
  return {};
}

Result<std::optional<Lease>> LeaseStore::find(const LeaseOwner& owner) const {
  auto lease = read_lease(owner_path(owner));
  if (!lease || !*lease) return lease;
  // A process killed between the names leaves an owner without an address. Another owner may have
  // that address since.
  for (const IpAddr& address : (*lease)->addresses) {
    auto holder = read_lease(address_path(address));
    if (!holder) return fail(holder);
    if (!*holder || (*holder)->owner != owner) return std::nullopt;
  }
  return lease;
}

Result<std::optional<Lease>> LeaseStore::find_record(const LeaseOwner& owner) const {
  return read_lease(owner_path(owner));
}

Result<std::vector<LeaseOwner>> LeaseStore::owners() const {
  auto names = list_directory(folder_ / "by-owner");
  if (!names) return fail(names);
  std::set<LeaseOwner> owners;
  for (const auto& name : *names) {
    if (const auto owner = LeaseOwner::from_key(finished_name(name))) owners.insert(*owner);
  }
  return std::vector<LeaseOwner>(owners.begin(), owners.end());
}

Result<std::uint64_t> LeaseStore::used_of(const Pool& pool) const {
  auto foreign = host_local_.addresses();
  if (!foreign) return fail(foreign);
  const auto held = std::ranges::count_if(*foreign, [&](const IpAddr& address) {
    return pool.contains(address) && !has_record(address);
  });
  const auto index = AddressIndex::open(AddressIndex::path_of(pools_path(), pool));
  const auto marked = index && index->pool() == pool ? index->taken() : std::nullopt;
  if (marked) return *marked + static_cast<std::uint64_t>(held);
  auto addresses = recorded_addresses();
  if (!addresses) return fail(addresses);
  const auto recorded =
      std::ranges::count_if(*addresses, [&](const IpAddr& a) { return pool.contains(a); });
  return static_cast<std::uint64_t>(recorded + held);
}

Result<std::vector<PoolUse>> LeaseStore::used(const std::vector<PoolSet>& sets) const {
  std::vector<PoolUse> uses;
  for (const PoolSet& set : sets) {
    PoolUse use{0, total_of(set)};
    for (const Pool& pool : set) {
      auto used = used_of(pool);
      if (!used) return fail(used);
      use.used += *used;
    }
    uses.push_back(use);
  }
  return uses;
}

Result<std::vector<std::pair<Pool, PoolUse>>> LeaseStore::pools_in_use() const {
  std::vector<std::pair<Pool, PoolUse>> uses;
  for (const AddressIndex& index : AddressIndex::open_all(pools_path())) {
    auto used = used_of(index.pool());
    if (!used) return fail(used);
    uses.emplace_back(index.pool(), PoolUse{*used, index.pool().size()});
  }
  return uses;
}

}  // namespace kubecni
