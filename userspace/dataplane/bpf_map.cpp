#include "dataplane/bpf_map.hpp"

#include <string>

namespace kubecni {

Result<UniqueFd> open_pinned_map(const std::filesystem::path& path, std::size_t key_size,
                                 std::size_t value_size) {
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd) return sys_error(errno, "open map " + path.string());
  bpf_map_info info{};
  __u32 info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &info_size) != 0)
    return sys_error(errno, path.string() + " is no map");
  if (info.key_size != key_size || info.value_size != value_size)
    return failure(EPROTO, "map " + path.string() + " has keys of " +
                               std::to_string(info.key_size) + " and values of " +
                               std::to_string(info.value_size) +
                               " bytes, but this program was built for " +
                               std::to_string(key_size) + " and " + std::to_string(value_size));
  return fd;
}

}  // namespace kubecni
