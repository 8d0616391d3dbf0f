#include "dataplane/map_fill.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/pins.hpp"
#include "kubecni/abi.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

namespace kubecni {

namespace {

// Entries copied per system call; the kernel has no call that counts.
constexpr __u32 kCountBatch = 1024;
// Counting the 2^18 flows of a full table takes 85 ms per request.
constexpr std::uint64_t kMostCounted = 16384;
static_assert(kMostCounted >= KUBECNI_MAX_NODE_CIDRS, "tries are counted to the end");

bool has_fill(__u32 type) {
  return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH ||
         type == BPF_MAP_TYPE_LPM_TRIE;
}

/// Estimates the entries of a hash from those in its first buckets, up to `place`: keys are spread
/// evenly. Returns the known number if `place` says nothing.
std::uint64_t estimate(std::uint64_t known, const std::vector<std::byte>& place,
                       const bpf_map_info& info) {
  // kernel/bpf/hashtab.c: the number of buckets is a power of two, and they are walked in order.
  const std::uint64_t buckets = std::bit_ceil(info.max_entries);
  __u32 seen = 0;
  std::memcpy(&seen, place.data(), sizeof(seen));
  return seen == 0 || seen > buckets ? known : known * buckets / seen;
}

Result<std::uint64_t> count_entries(int fd, const bpf_map_info& info) {
  std::vector<std::byte> keys(std::size_t{kCountBatch} * info.key_size);
  std::vector<std::byte> values(std::size_t{kCountBatch} * info.value_size);
  // Where the walk is: the number of a hash's bucket, a trie's key.
  std::vector<std::byte> place(std::max<std::size_t>(info.key_size, sizeof(__u32)));
  std::uint64_t entries = 0;
  for (bool begun = false; entries < kMostCounted; begun = true) {
    __u32 count = kCountBatch;
    const int error = bpf_map_lookup_batch(fd, begun ? place.data() : nullptr, place.data(),
                                           keys.data(), values.data(), &count, nullptr);
    if (error != 0 && error != -ENOENT) return sys_error(-error, "count the entries");
    entries += count;
    if (error == -ENOENT) return entries;
  }
  const bool is_trie = info.type == BPF_MAP_TYPE_LPM_TRIE;
  return std::min<std::uint64_t>(is_trie ? entries : estimate(entries, place, info),
                                 info.max_entries);
}

/// Empty for maps that have no fill level.
Result<std::optional<MapFill>> read_fill(const std::filesystem::path& path) {
  const UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) return sys_error(errno, "open map " + path.string());
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
    return sys_error(errno, path.string() + " is not a map");
  if (!has_fill(info.type)) return std::nullopt;
  auto entries = count_entries(fd.get(), info);
  if (!entries) return fail(entries, "map " + path.string());
  return MapFill{path.filename(), *entries, info.max_entries};
}

}  // namespace

Result<std::vector<MapFill>> read_map_fills(const std::filesystem::path& bpffs) {
  const auto folder = PinPaths(bpffs).maps;
  auto names = list_directory(folder);
  if (!names) return fail(names);
  if (names->empty()) return sys_error(ENOENT, "find maps in " + folder.string());
  std::vector<MapFill> fills;
  for (const auto& name : *names) {
    auto fill = read_fill(folder / name);
    if (!fill) return fail(fill);
    if (*fill) fills.push_back(std::move(**fill));
  }
  return fills;
}

}  // namespace kubecni
