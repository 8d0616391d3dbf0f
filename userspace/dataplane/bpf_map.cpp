#include "dataplane/bpf_map.hpp"

#include <string>

namespace kubecni {

namespace {

// More than any bucket of a hash holds, since the kernel reads a bucket as a whole or not at all.
constexpr std::size_t kBatch = 512;

/// Errors: ENOTSUPP (524), EINVAL the kernel cannot; ENOSPC, EINTR not for this map now.
Result<MapBytes> read_in_batches(int map_fd, std::size_t key_size, std::size_t value_size) {
  MapBytes bytes;
  // Where the kernel continues: the last key of a trie, the bucket number of a hash.
  std::vector<char> place(std::max(key_size, sizeof(__u32)));
  bool is_first = true;
  for (int code = 0; code == 0; is_first = false) {
    bytes.keys.resize((bytes.count + kBatch) * key_size);
    bytes.values.resize((bytes.count + kBatch) * value_size);
    __u32 count = kBatch;
    code = bpf_map_lookup_batch(map_fd, is_first ? nullptr : place.data(), place.data(),
                                &bytes.keys[bytes.count * key_size],
                                &bytes.values[bytes.count * value_size], &count, nullptr);
    if (code != 0 && code != -ENOENT) return sys_error(-code, "read many entries at once");
    bytes.count += count;
  }
  return bytes;
}

Result<MapBytes> read_one_by_one(int map_fd, std::size_t key_size, std::size_t value_size) {
  MapBytes bytes;
  std::vector<char> key(key_size), value(value_size);
  for (bool is_first = true;
       bpf_map_get_next_key(map_fd, is_first ? nullptr : key.data(), key.data()) == 0;
       is_first = false) {
    if (bpf_map_lookup_elem(map_fd, key.data(), value.data()) != 0) continue;
    bytes.keys.insert(bytes.keys.end(), key.begin(), key.end());
    bytes.values.insert(bytes.values.end(), value.begin(), value.end());
    ++bytes.count;
  }
  if (errno != ENOENT) return sys_error(errno, "walk");
  return bytes;
}

}  // namespace

Result<UniqueFd> open_pinned_map(const std::filesystem::path& path, std::size_t key_size,
                                 std::size_t value_size) {
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) return sys_error(errno, "open map " + path.string());
  bpf_map_info info{};
  __u32 info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &info_size) != 0)
    return sys_error(errno, path.string() + " is not a map");
  if (info.key_size != key_size || info.value_size != value_size)
    return failure(EPROTO, "map " + path.string() + " has keys of " +
                               std::to_string(info.key_size) + " and values of " +
                               std::to_string(info.value_size) +
                               " bytes, but this program was built for " +
                               std::to_string(key_size) + " and " + std::to_string(value_size));
  return fd;
}

Result<MapBytes> read_map(int map_fd, std::size_t key_size, std::size_t value_size) {
  auto bytes = read_in_batches(map_fd, key_size, value_size);
  return bytes ? bytes : read_one_by_one(map_fd, key_size, value_size);
}

}  // namespace kubecni
