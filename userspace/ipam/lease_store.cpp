#include "ipam/lease_store.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>

namespace kubecni {

using nlohmann::json;

namespace {

// A runtime gives an ADD minutes, and an allocation takes well under a millisecond.
constexpr std::chrono::seconds kLockTimeout{10};

std::string to_text(const Lease& lease) {
  return json{{"address", lease.address.str()},
              {"containerID", lease.owner.container_id},
              {"ifname", lease.owner.ifname},
              {"netns", lease.netns.path},
              {"netnsDevice", lease.netns.device},
              {"netnsInode", lease.netns.inode},
              {"bootID", lease.boot_id}}
             .dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

Result<Lease> from_text(const std::string& text, const std::filesystem::path& path) {
  const json record = json::parse(text, nullptr, false);
  const auto field = [&](const char* key) {
    const auto found = record.is_object() ? record.find(key) : record.end();
    return found != record.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const auto number = [&](const char* key) {
    const auto found = record.is_object() ? record.find(key) : record.end();
    return found != record.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const auto address = IpAddr::parse(field("address"));
  if (!address || field("containerID").empty())
    return failure(EBADMSG, "lease record " + path.string() +
                                " is damaged; if no container uses "
                                "it, remove the file");
  return Lease{.address = *address,
               .owner = {field("containerID"), field("ifname")},
               .netns = {field("netns"), number("netnsDevice"), number("netnsInode")},
               .boot_id = field("bootID")};
}

Result<std::optional<Lease>> read_lease(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  auto lease = from_text(*text, path);
  if (!lease) return fail(lease);
  return *lease;
}

}  // namespace

std::string current_boot_id() {
  auto id = read_file("/proc/sys/kernel/random/boot_id");
  return id && !id->empty() ? id->substr(0, id->size() - 1) : "";
}

std::optional<LeaseOwner> LeaseOwner::from_key(const std::string& key) {
  const auto colon = key.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == key.size()) return std::nullopt;
  return LeaseOwner{key.substr(0, colon), key.substr(colon + 1)};
}

std::filesystem::path LeaseStore::owner_path(const LeaseOwner& owner) const {
  // ':' is in no container id and in no interface name.
  return folder_ / "by-owner" / owner.key();
}

std::filesystem::path LeaseStore::address_path(const IpAddr& address) const {
  return folder_ / "by-address" / address.str();
}

bool LeaseStore::is_taken(const IpAddr& address) const {
  return ::access(address_path(address).c_str(), F_OK) == 0;
}

Result<AddressIndex> LeaseStore::open_index(const Pool& pool) const {
  return AddressIndex::open(folder_ / "index", pool,
                            [this](const IpAddr& address) { return is_taken(address); });
}

std::optional<IpAddr> LeaseStore::find_free(AddressIndex& index) const {
  for (const bool rebuild : {false, true}) {
    // Somebody may have removed records by hand, which only shows here.
    if (rebuild) index.rebuild([this](const IpAddr& address) { return is_taken(address); });
    while (const auto candidate = index.next_free()) {
      if (!is_taken(*candidate)) return candidate;
      index.mark_taken(*candidate);
    }
  }
  return std::nullopt;
}

Result<IpAddr> LeaseStore::choose(const Pool& pool, AddressIndex& index,
                                  const std::optional<IpAddr>& requested) const {
  if (requested) {
    if (pool.index_of(*requested) == pool.size())
      return failure(EINVAL, "the requested address " + requested->str() +
                                 " is none of those for pods in " + pool.subnet().str());
    if (is_taken(*requested))
      return failure(EADDRINUSE, "the requested address " + requested->str() + " is in use");
    return *requested;
  }
  if (const auto address = find_free(index)) return *address;
  return failure(ENOSPC, "no free address in " + pool.subnet().str() + ": " +
                             std::to_string(pool.size()) + " of " + std::to_string(pool.size()) +
                             " are in use; delete pods, or give the node a larger subnet");
}

Result<> LeaseStore::record(const Lease& lease) {
  const auto by_owner = owner_path(lease.owner);
  const auto by_address = address_path(lease.address);
  if (auto written = write_file_atomically(by_owner, to_text(lease), 0600); !written)
    return fail(written);
  if (::link(by_owner.c_str(), by_address.c_str()) != 0) {
    const int code = errno;
    ::unlink(by_owner.c_str());
    return sys_error(code, "link " + by_address.string());
  }
  return {};
}

Result<Lease> LeaseStore::allocate(const Pool& pool, const LeaseOwner& owner,
                                   const NetnsIdentity& netns,
                                   const std::optional<IpAddr>& requested) {
  for (const char* part : {"by-owner", "by-address"}) {
    if (auto made = ensure_directory(folder_ / part); !made) return fail(made);
  }
  auto lock = FileLock::acquire(folder_ / "lock", kLockTimeout);
  if (!lock) return fail(lock, "allocate address");
  if (::access(owner_path(owner).c_str(), F_OK) == 0)
    return failure(EEXIST, "container " + owner.container_id + " already has an address for " +
                               owner.ifname + "; DEL it first");
  auto index = open_index(pool);
  if (!index) return fail(index, "allocate address");
  auto address = choose(pool, *index, requested);
  if (!address) return fail(address);
  Lease lease{*address, owner, netns, current_boot_id()};
  if (auto recorded = record(lease); !recorded) return fail(recorded, "allocate address");
  index->mark_taken(*address);
  return lease;
}

/// In this order: killed in between, the index only says too little.
Result<> LeaseStore::free_address(const IpAddr& address) const {
  if (auto index = AddressIndex::open_existing(folder_ / "index")) index->mark_free(address);
  return delete_file(address_path(address));
}

/// Frees the address whose record is the file at `owner_path` under its other
/// name, for a record that does not tell its address any more.
Result<> LeaseStore::free_other_name_of(const std::filesystem::path& owner_path) const {
  auto names = list_directory(folder_ / "by-address");
  if (!names) return fail(names);
  std::error_code ignored;
  for (const auto& name : *names) {
    const auto address = IpAddr::parse(name);
    if (address && std::filesystem::equivalent(address_path(*address), owner_path, ignored))
      return free_address(*address);
  }
  return {};
}

Result<> LeaseStore::release(const LeaseOwner& owner) {
  auto lock = FileLock::acquire(folder_ / "lock", kLockTimeout);
  if (!lock && lock.error().code == ENOENT) return {};  // the network never had a lease
  if (!lock) return fail(lock, "release address");
  auto lease = find(owner);
  if (!lease && lease.error().code != EBADMSG) return fail(lease, "release address");
  if (!lease) {
    if (auto freed = free_other_name_of(owner_path(owner)); !freed) return fail(freed);
  } else if (*lease) {
    if (auto freed = free_address((*lease)->address); !freed) return fail(freed);
  }
  if (auto removed = delete_file(unfinished_name(owner_path(owner))); !removed)
    return fail(removed, "release address");
  return delete_file(owner_path(owner));
}

Result<std::optional<Lease>> LeaseStore::find(const LeaseOwner& owner) const {
  auto lease = read_lease(owner_path(owner));
  if (!lease || !*lease) return lease;
  // A process killed between the two names leaves an owner without an address,
  // which somebody else may have got since.
  auto holder = read_lease(address_path((*lease)->address));
  if (!holder) return fail(holder);
  if (!*holder || (*holder)->owner != owner) return std::nullopt;
  return lease;
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

Result<std::uint64_t> LeaseStore::used(const Pool& pool) const {
  const auto index = AddressIndex::open_existing(folder_ / "index");
  if (index && index->pool().subnet() == pool.subnet()) return index->taken();
  auto names = list_directory(folder_ / "by-address");
  if (!names) return fail(names);
  return static_cast<std::uint64_t>(std::ranges::count_if(*names, [&](const std::string& name) {
    const auto address = IpAddr::parse(name);
    return address && pool.index_of(*address) < pool.size();
  }));
}

}  // namespace kubecni
