#pragma once

#include "base/result.hpp"
#include "ipam/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace kubecni {

/// Where the search for a free address of a pool begins, and for pools of up to
/// 2^20 addresses which are probably free, in a small mapped file. So finding
/// one costs the same with ten and with sixty thousand leases, and the same in
/// an IPv6 /64.
///
/// A hint: the lease records are the truth. A process that is killed may leave
/// an address marked free that is taken, never the other way round. Callers
/// hold the network's lock.
class AddressIndex {
 public:
  using IsTaken = std::function<bool(const IpAddr&)>;

  /// Where the index of `pool` is.
  static std::filesystem::path path_of(const std::filesystem::path& folder, const Pool& pool);
  /// Makes it, or makes it anew, with `taken` marked. Whoever has the older one
  /// mapped keeps that. Errors: those of open(2), fallocate(2), mmap(2) and rename(2).
  static Result<AddressIndex> create(const std::filesystem::path& path, const Pool& pool,
                                     const std::vector<IpAddr>& taken);
  /// Maps the file as it is; empty when it is missing or damaged.
  static std::optional<AddressIndex> open(const std::filesystem::path& path);
  /// All that are in the folder and not damaged.
  static std::vector<AddressIndex> open_all(const std::filesystem::path& folder);

  AddressIndex(AddressIndex&& other) noexcept
      : pool_(other.pool_), mapping_(std::exchange(other.mapping_, {})) {}
  AddressIndex& operator=(AddressIndex&&) = delete;
  ~AddressIndex();

  /// The first after the one given out last, going round, that is not marked and
  /// of which `is_taken` says no; empty when there is none.
  [[nodiscard]] std::optional<IpAddr> find_free(const IsTaken& is_taken) const;
  /// Lets the next search begin after `address`.
  void move_past(const IpAddr& address);
  /// Of an address that is none of the pool's, nothing is marked.
  void mark_taken(const IpAddr& address);
  void mark_free(const IpAddr& address);
  /// How many are marked; empty for a pool too large for that.
  [[nodiscard]] std::optional<std::uint64_t> taken() const;
  [[nodiscard]] const Pool& pool() const { return pool_; }

 private:
  struct Header;
  AddressIndex(const Pool& pool, std::span<std::byte> mapping) : pool_(pool), mapping_(mapping) {}
  static std::size_t bytes_for(const Pool& pool);
  [[nodiscard]] Header& header() const;
  [[nodiscard]] std::span<std::uint64_t> words() const;
  [[nodiscard]] std::uint64_t first_unmarked(std::uint64_t from, std::uint64_t to) const;

  Pool pool_;
  std::span<std::byte> mapping_;
};

}  // namespace kubecni
