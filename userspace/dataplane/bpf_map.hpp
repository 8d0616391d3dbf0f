#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Opens the map pinned at `path`. Errors: ENOENT nothing is pinned there; EPERM no CAP_BPF; EPROTO
/// key or value has another size than expected, so it is of another schema: typed access would
/// overrun memory.
Result<UniqueFd> open_pinned_map(const std::filesystem::path& path, std::size_t key_size,
                                 std::size_t value_size);

/// The entries of a map as bytes: all keys, and all values, one after the other.
struct MapBytes {
  std::vector<char> keys;
  std::vector<char> values;
  std::size_t count = 0;
};

/// Reads the entries of a map. An entry that is deleted meanwhile may be missing; one may come
/// twice. Reads hundreds with one call if the kernel can (hashes 5.6, tries 5.13), else one by one.
Result<MapBytes> read_map(int map_fd, std::size_t key_size, std::size_t value_size);

/// A pinned map with the types of include/kubecni/abi.h.
template <typename Key, typename Value>
class BpfMap {
 public:
  /// Errors: those of open_pinned_map().
  static Result<BpfMap> open(const std::filesystem::path& path) {
    auto fd = open_pinned_map(path, sizeof(Key), sizeof(Value));
    if (!fd) return fail(fd);
    return BpfMap(std::move(*fd), path.filename().string());
  }

  [[nodiscard]] Result<std::optional<Value>> find(const Key& key) const {
    Value value{};
    if (bpf_map_lookup_elem(fd_.get(), &key, &value) == 0) return value;
    if (errno == ENOENT) return std::nullopt;
    return sys_error(errno, "look up in map " + name_);
  }

  /// Errors: E2BIG, ENOSPC the map is full.
  Result<> set(const Key& key, const Value& value) {
    if (bpf_map_update_elem(fd_.get(), &key, &value, BPF_ANY) == 0) return {};
    return sys_error(errno, "write to map " + name_);
  }

  /// Absent is success.
  Result<> erase(const Key& key) {
    if (bpf_map_delete_elem(fd_.get(), &key) == 0 || errno == ENOENT) return {};
    return sys_error(errno, "delete from map " + name_);
  }

  /// The entries, each key once. An entry that is deleted meanwhile may be missing.
  [[nodiscard]] Result<std::vector<std::pair<Key, Value>>> entries() const {
    auto bytes = read_map(fd_.get(), sizeof(Key), sizeof(Value));
    if (!bytes) return fail(bytes, "read map " + name_);
    std::vector<std::pair<Key, Value>> found(bytes->count);
    for (std::size_t i = 0; i < bytes->count; ++i) {
      std::memcpy(&found[i].first, &bytes->keys[i * sizeof(Key)], sizeof(Key));
      std::memcpy(&found[i].second, &bytes->values[i * sizeof(Value)], sizeof(Value));
    }
    const auto order = [](const auto& a, const auto& b) {
      return std::memcmp(&a.first, &b.first, sizeof(Key));
    };
    std::ranges::sort(found, [&](const auto& a, const auto& b) { return order(a, b) < 0; });
    const auto doubles =
        std::ranges::unique(found, [&](const auto& a, const auto& b) { return order(a, b) == 0; });
    found.erase(doubles.begin(), doubles.end());
    return found;
  }

 private:
  BpfMap(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  UniqueFd fd_;
  std::string name_;
};

}  // namespace kubecni
