#include "ipam/lease_store.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace kubecni {

using nlohmann::json;

namespace {

// A runtime gives an ADD minutes, and an allocation takes well under a millisecond.
constexpr std::chrono::seconds kLockTimeout{10};

std::string boot_id() {
  auto id = read_file("/proc/sys/kernel/random/boot_id");
  return id && !id->empty() ? id->substr(0, id->size() - 1) : "";
}

std::string to_text(const Lease& lease) {
  return json{{"address", lease.address.str()},
              {"containerID", lease.owner.container_id},
              {"ifname", lease.owner.ifname},
              {"netns", lease.netns},
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
  const auto address = IpAddr::parse(field("address"));
  if (!address || field("containerID").empty())
    return failure(EBADMSG, "lease record " + path.string() +
                                " is damaged; if no container uses "
                                "it, remove the file");
  return Lease{*address, {field("containerID"), field("ifname")}, field("netns"), field("bootID")};
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

std::filesystem::path LeaseStore::owner_path(const LeaseOwner& owner) const {
  // ':' is in no container id and in no interface name.
  return folder_ / "by-owner" / (owner.container_id + ":" + owner.ifname);
}

std::filesystem::path LeaseStore::address_path(const IpAddr& address) const {
  return folder_ / "by-address" / address.str();
}

Result<std::optional<IpAddr>> LeaseStore::next_free(const Pool& pool) const {
  std::uint64_t start = 0;
  if (const auto cursor = read_file(folder_ / "cursor")) {
    const auto last = IpAddr::parse(*cursor);
    if (last && pool.index_of(*last) < pool.size()) start = pool.index_of(*last) + 1;
  }
  for (std::uint64_t i = 0; i < pool.size(); ++i) {
    const IpAddr candidate = pool.at((start + i) % pool.size());
    if (::access(address_path(candidate).c_str(), F_OK) == 0) continue;
    if (errno != ENOENT) return sys_error(errno, "look up " + address_path(candidate).string());
    return candidate;
  }
  return std::nullopt;
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
  auto moved = write_file_atomically(folder_ / "cursor", lease.address.str(), 0600);
  if (!moved) {
    ::unlink(by_address.c_str());
    ::unlink(by_owner.c_str());
  }
  return moved;
}

Result<Lease> LeaseStore::allocate(const Pool& pool, const LeaseOwner& owner,
                                   const std::string& netns) {
  for (const char* part : {"by-owner", "by-address"}) {
    if (auto made = ensure_directory(folder_ / part); !made) return fail(made);
  }
  auto lock = FileLock::acquire(folder_ / "lock", kLockTimeout);
  if (!lock) return fail(lock, "allocate address");
  if (::access(owner_path(owner).c_str(), F_OK) == 0)
    return failure(EEXIST, "container " + owner.container_id + " already has an address for " +
                               owner.ifname + "; DEL it first");
  auto address = next_free(pool);
  if (!address) return fail(address, "allocate address");
  if (!*address)
    return failure(ENOSPC, "no free address in " + pool.subnet().str() + ": " +
                               std::to_string(pool.size()) + " of " + std::to_string(pool.size()) +
                               " are in use; delete pods, or give the node a larger subnet");
  Lease lease{**address, owner, netns, boot_id()};
  if (auto recorded = record(lease); !recorded) return fail(recorded, "allocate address");
  return lease;
}

/// Frees the address whose record is the file at `owner_path` under its other
/// name, for a record that does not tell its address any more.
Result<> LeaseStore::free_other_name_of(const std::filesystem::path& owner_path) const {
  auto names = list_directory(folder_ / "by-address");
  if (!names) return fail(names);
  std::error_code ignored;
  for (const auto& name : *names) {
    const auto path = folder_ / "by-address" / name;
    if (std::filesystem::equivalent(path, owner_path, ignored)) return delete_file(path);
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
  }
  if (lease && *lease) {
    auto freed = delete_file(address_path((*lease)->address));
    if (!freed) return fail(freed, "release address");
  }
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

Result<std::uint64_t> LeaseStore::used(const Pool& pool) const {
  auto names = list_directory(folder_ / "by-address");
  if (!names) return fail(names);
  std::uint64_t count = 0;
  for (const auto& name : *names) {
    const auto address = IpAddr::parse(name);
    count += address && pool.index_of(*address) < pool.size();
  }
  return count;
}

}  // namespace kubecni
