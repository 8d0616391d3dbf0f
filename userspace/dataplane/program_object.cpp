#include "dataplane/program_object.hpp"

#include "base/unique_fd.hpp"
#include "dataplane/libbpf_log.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <dataplane.skel.h>
#include <dataplane_no_conntrack.skel.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

std::unexpected<Error> load_error(int code, const std::string& what) {
  std::string text = what;
  if (code == EPERM) text += " (root, or CAP_BPF with CAP_NET_ADMIN, is needed)";
  if (!kept_libbpf_log().empty()) text += " [" + kept_libbpf_log() + "]";
  return sys_error(code, text);
}

/// The bytes of one of the two objects.
struct Image {
  const char* name;
  const void* bytes;
  std::size_t size;
};

Image with_conntrack() {
  Image image{"dataplane", nullptr, 0};
  image.bytes = dataplane__elf_bytes(&image.size);
  return image;
}

Image without_conntrack() {
  Image image{"dataplane", nullptr, 0};
  image.bytes = dataplane_no_conntrack__elf_bytes(&image.size);
  return image;
}

bool is_flow_cache(const bpf_map* map) {
  return std::string_view(bpf_map__name(map)).starts_with("flows");
}

/// The room of the map that is pinned there; `otherwise` if there is none.
std::uint32_t room_of(const std::filesystem::path& pin, std::uint32_t otherwise) {
  const UniqueFd fd(bpf_obj_get(pin.c_str()));
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return otherwise;
  return info.max_entries;
}

/// libbpf refuses a pinned map with another layout. Without `maps_dir`, nothing is pinned.
Result<BpfObject> load(const Image& image, const std::filesystem::path& maps_dir,
                       std::uint32_t max_flows) {
  keep_libbpf_log();
  LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = image.name);
  BpfObject object(bpf_object__open_mem(image.bytes, image.size, &opts));
  if (!object) return load_error(errno, "open the eBPF object");
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (bpf_map__is_internal(map)) continue;
    const auto pin = maps_dir.empty() ? std::filesystem::path() : maps_dir / bpf_map__name(map);
    int error = 0;
    if (is_flow_cache(map))
      error = bpf_map__set_max_entries(map, pin.empty() ? max_flows : room_of(pin, max_flows));
    if (error != 0) return load_error(-error, "set the room of a map");
    if (!pin.empty()) error = bpf_map__set_pin_path(map, pin.c_str());
    if (error != 0) return load_error(-error, "set the pin of a map");
  }
  if (const int error = bpf_object__load(object.get()); error != 0)
    return load_error(-error, "load the eBPF programs");
  return object;
}

}  // namespace

Result<LoadedPrograms> load_programs(const std::filesystem::path& maps_dir,
                                     std::uint32_t max_flows) {
  auto object = load(with_conntrack(), maps_dir, max_flows);
  if (object) return LoadedPrograms{std::move(*object), {}};
  // These errors say nothing about conntrack, and would come a second time, too.
  if (object.error().code == EPERM || object.error().code == ENOMEM) return fail(object);
  auto second = load_programs_without_conntrack(maps_dir, max_flows);
  if (!second) return fail(second);
  return LoadedPrograms{std::move(*second),
                        "the kernel's conntrack cannot be asked, for which kernel 6.0 or later "
                        "with BTF and the module nf_conntrack are needed: " +
                            object.error().what};
}

Result<BpfObject> load_programs_without_conntrack(const std::filesystem::path& maps_dir,
                                                  std::uint32_t max_flows) {
  return load(without_conntrack(), maps_dir, max_flows);
}

Result<std::string> try_programs() {
  constexpr std::uint32_t kFew = 1024;
  auto loaded = load_programs({}, kFew);
  if (!loaded) return fail(loaded);
  return std::move(loaded->no_conntrack_reason);
}

Result<bpf_prog_info> program_info(int prog_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(prog_fd, &info, &size) != 0)
    return sys_error(errno, "read program information");
  return info;
}

Result<bool> asks_conntrack(int prog_fd) {
  auto info = program_info(prog_fd);
  if (!info) return fail(info);
  if (info->btf_id == 0) return false;  // a kernel without BTF
  // Only one of the variants knows the type of a conntrack entry.
  btf* types = btf__load_from_kernel_by_id(info->btf_id);
  if (!types) return sys_error(errno, "read the types of a program");
  const int found = btf__find_by_name_kind(types, "nf_conn", BTF_KIND_STRUCT);
  btf__free(types);
  return found > 0;
}

}  // namespace kubecni
