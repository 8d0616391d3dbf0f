#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <bpf/bpf.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace kubecni {

/// Opens the map pinned at `path`. Errors: ENOENT nothing is pinned there;
/// EPERM no CAP_BPF; EPROTO its key or value is not of the size asked for,
/// which is another schema: typed access would overrun memory.
Result<UniqueFd> open_pinned_map(const std::filesystem::path& path, std::size_t key_size,
                                 std::size_t value_size);

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

  /// What is in the map. An entry that is deleted while it is walked may or may
  /// not be there, and makes the walk start again; the result has no doubles.
  [[nodiscard]] Result<std::vector<std::pair<Key, Value>>> entries() const {
    std::vector<std::pair<Key, Value>> found;
    std::unordered_set<std::string> seen;
    Key key{};
    const Key* previous = nullptr;
    Key next{};
    while (bpf_map_get_next_key(fd_.get(), previous, &next) == 0) {
      Value value{};
      const bool is_new = seen.emplace(reinterpret_cast<const char*>(&next), sizeof(next)).second;
      if (is_new && bpf_map_lookup_elem(fd_.get(), &next, &value) == 0)
        found.emplace_back(next, value);
      key = next;
      previous = &key;
    }
    if (errno != ENOENT) return sys_error(errno, "walk map " + name_);
    return found;
  }

 private:
  BpfMap(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  UniqueFd fd_;
  std::string name_;
};

}  // namespace kubecni
