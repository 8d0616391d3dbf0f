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

/// Where the search for a free address of a pool begins, and, for pools of up to 2^20 addresses,
/// which are probably free, in a small mapped file. So finding one costs the same with ten and with
/// sixty thousand leases, and in an IPv6 /64.
///
/// Only a hint: the lease records are the truth. A killed process may leave a taken address marked
/// as free, never the other way round. Callers hold the network's lock.
class AddressIndex {
 public:
  using IsTaken = std::function<bool(const IpAddr&)>;

  /// The file of `pool`'s index.
  static std::filesystem::path path_of(const std::filesystem::path& folder, const Pool& pool);
  /// Creates or replaces the index, with `taken` marked. Processes that have mapped the old one
  /// keep it. Errors: those of open(2), fallocate(2), mmap(2) and rename(2).
  static Result<AddressIndex> create(const std::filesystem::path& path, const Pool& pool,
                                     const std::vector<IpAddr>& taken);
  /// Maps the existing file; empty if it is missing or damaged.
  static std::optional<AddressIndex> open(const std::filesystem::path& path);
  /// All undamaged indexes in the folder.
  static std::vector<AddressIndex> open_all(const std::filesystem::path& folder);

  AddressIndex(AddressIndex&& other) noexcept
      : pool_(other.pool_), mapping_(std::exchange(other.mapping_, {})) {}
  AddressIndex& operator=(AddressIndex&&) = delete;
  ~AddressIndex();

  /// The next address after the last one given out, wrapping around, that is not marked and that
  /// `is_taken` denies; empty if there is none.
  [[nodiscard]] std::optional<IpAddr> find_free(const IsTaken& is_taken) const;
  /// Lets the next search begin after `address`.
  void move_past(const IpAddr& address);
  /// Ignores addresses outside of the pool.
  void mark_taken(const IpAddr& address);
  void mark_free(const IpAddr& address);
  /// How many are marked; empty for a pool that is too large for marks.
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
