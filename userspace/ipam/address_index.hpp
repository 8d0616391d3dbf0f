#pragma once

#include "base/result.hpp"
#include "ipam/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <utility>

namespace kubecni {

/// Which addresses of a pool are probably free, in a small mapped file, so that
/// finding one costs the same with ten and with sixty thousand leases.
///
/// A hint: the lease records are the truth. A process that is killed may leave
/// an address marked free that is taken, never the other way round. Callers
/// hold the network's lock.
class AddressIndex {
 public:
  /// Maps the file at `path`. One that is missing, damaged or made for another
  /// pool is made anew, with every address that `is_taken` says.
  /// Errors: those of open(2), ftruncate(2) and mmap(2).
  static Result<AddressIndex> open(const std::filesystem::path& path, const Pool& pool,
                                   const std::function<bool(const IpAddr&)>& is_taken);
  /// Maps the file as it is, for whatever pool it was made; empty when it is
  /// missing or damaged.
  static std::optional<AddressIndex> open_existing(const std::filesystem::path& path);

  AddressIndex(AddressIndex&& other) noexcept
      : pool_(other.pool_), mapping_(std::exchange(other.mapping_, {})) {}
  AddressIndex& operator=(AddressIndex&&) = delete;
  ~AddressIndex();

  /// The first free one after the last that was marked, going round; empty when
  /// none is. Constant time but for one pass over a bit per address.
  [[nodiscard]] std::optional<IpAddr> next_free() const;
  void mark_taken(const IpAddr& address);
  void mark_free(const IpAddr& address);
  /// Marks what `is_taken` says, and nothing else.
  void rebuild(const std::function<bool(const IpAddr&)>& is_taken);
  [[nodiscard]] std::uint64_t taken() const;
  [[nodiscard]] const Pool& pool() const { return pool_; }

 private:
  struct Header;
  AddressIndex(const Pool& pool, std::span<std::byte> mapping) : pool_(pool), mapping_(mapping) {}
  static std::size_t bytes_for(const Pool& pool);
  [[nodiscard]] Header& header() const;
  [[nodiscard]] std::span<std::uint64_t> words() const;

  Pool pool_;
  std::span<std::byte> mapping_;
};

}  // namespace kubecni
