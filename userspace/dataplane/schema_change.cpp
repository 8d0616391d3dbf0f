#include "dataplane/schema_change.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/bpf_map.hpp"
#include "dataplane/dual_stack_map.hpp"
#include "dataplane/hook.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/program_loader.hpp"
#include "dataplane/program_object.hpp"
#include "kubecni/abi.h"
#include "state/files.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

struct OpenedMap {
  UniqueFd fd;
  bpf_map_info info{};
};

/// Empty: nothing is pinned there.
Result<std::optional<OpenedMap>> open_any_map(const fs::path& pin) {
  OpenedMap map{.fd = UniqueFd(bpf_obj_get(pin.c_str()))};
  if (!map.fd && errno == ENOENT) return std::nullopt;
  if (!map.fd) return sys_error(errno, "open map " + pin.string());
  __u32 size = sizeof(map.info);
  if (bpf_obj_get_info_by_fd(map.fd.get(), &map.info, &size) != 0)
    return sys_error(errno, pin.string() + " is not a map");
  return map;
}

bool have_same_layout(const bpf_map_info& a, const bpf_map_info& b) {
  return a.type == b.type && a.key_size == b.key_size && a.value_size == b.value_size;
}

/// The map `name` of the other schema and ours; empty if their layouts differ.
struct Pair {
  OpenedMap from;
  OpenedMap to;
};
Result<std::optional<Pair>> open_alike(const fs::path& bpffs, const fs::path& other,
                                       const char* name) {
  auto to = open_any_map(PinPaths(bpffs).maps / name);
  if (!to) return fail(to);
  if (!*to) return failure(ENOENT, std::string("map ") + name + " is not pinned");
  auto from = open_any_map(other / "maps" / name);
  if (!from) return fail(from);
  if (!*from || !have_same_layout((*from)->info, (*to)->info)) return std::nullopt;
  return Pair{std::move(**from), std::move(**to)};
}

/// What the kernel path was seen to carry. Answers of eBPF have parts of other maps, whose layout
/// may differ, and are asked for again.
bool is_note(const char* value) {
  kubecni_flow_state state;
  std::memcpy(&state, value, sizeof(state));
  return state.owner == KUBECNI_FLOW_KERNEL;
}

Result<> copy_notes(const Pair& maps) {
  const std::size_t key_size = maps.from.info.key_size, value_size = maps.from.info.value_size;
  auto bytes = read_map(maps.from.fd.get(), key_size, value_size);
  if (!bytes) return fail(bytes);
  for (std::size_t i = 0; i < bytes->count; ++i) {
    if (!is_note(&bytes->values[i * value_size])) continue;
    const int error = bpf_map_update_elem(maps.to.fd.get(), &bytes->keys[i * key_size],
                                          &bytes->values[i * value_size], BPF_NOEXIST);
    if (error != 0 && errno != EEXIST) return sys_error(errno, "copy an entry");
  }
  return {};
}

Result<> add_counts(const Pair& maps) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 1) return sys_error(-cpus, "count the CPUs");
  std::vector<kubecni_count> theirs(static_cast<std::size_t>(cpus)), ours(theirs);
  const __u32 reasons = std::min(maps.from.info.max_entries, maps.to.info.max_entries);
  for (__u32 reason = 0; reason < reasons; ++reason) {
    if (bpf_map_lookup_elem(maps.from.fd.get(), &reason, theirs.data()) != 0 ||
        bpf_map_lookup_elem(maps.to.fd.get(), &reason, ours.data()) != 0)
      return sys_error(errno, "read map exit_counts");
    bool any = false;
    for (std::size_t cpu = 0; cpu < ours.size(); ++cpu) {
      any = any || theirs[cpu].packets != 0;
      ours[cpu].packets += theirs[cpu].packets;
      ours[cpu].bytes += theirs[cpu].bytes;
    }
    // Counts between the two calls are lost: some packets of one reason.
    if (any && bpf_map_update_elem(maps.to.fd.get(), &reason, ours.data(), BPF_ANY) != 0)
      return sys_error(errno, "write map exit_counts");
  }
  return {};
}

/// Removes the pin first, so that nothing is counted twice.
Result<> take_counts(const fs::path& bpffs, const fs::path& other) {
  auto maps = open_alike(bpffs, other, "exit_counts");
  if (!maps) return fail(maps);
  if (auto removed = delete_file(other / "maps" / "exit_counts"); !removed) return removed;
  return *maps ? add_counts(**maps) : Result<>();
}

/// An absent map is fine, and so is one with other keys.
template <typename Key>
Result<> erase_key(const fs::path& pin, const Key& key) {
  auto map = open_any_map(pin);
  if (!map) return fail(map);
  if (!*map || (*map)->info.key_size != sizeof(key)) return {};
  if (bpf_map_delete_elem((*map)->fd.get(), &key) == 0 || errno == ENOENT) return {};
  return sys_error(errno, "delete from map " + pin.string());
}

}  // namespace

Result<std::vector<fs::path>> other_schemas(const fs::path& bpffs) {
  auto names = list_schemas(bpffs);
  if (!names) return fail(names);
  const fs::path own = PinPaths(bpffs).maps.parent_path().filename();
  std::vector<fs::path> others;
  for (const auto& name : *names) {
    const fs::path folder = bpffs / name;
    std::error_code ignored;
    const bool has_pins =
        fs::exists(folder / "maps", ignored) || fs::exists(folder / "progs", ignored);
    if (name != own && has_pins) others.push_back(folder);
  }
  return others;
}

Result<> carry_over_flows(const fs::path& bpffs) {
  auto others = other_schemas(bpffs);
  if (!others) return fail(others);
  for (const auto& other : *others) {
    for (const char* name : {"flows4", "flows6"}) {
      auto maps = open_alike(bpffs, other, name);
      if (!maps) return fail(maps);
      if (!*maps || (*maps)->to.info.value_size != sizeof(kubecni_flow_state)) continue;
      if (auto copied = copy_notes(**maps); !copied) return fail(copied, name);
    }
  }
  return {};
}

Result<> erase_from_other_schemas(const fs::path& bpffs, unsigned network,
                                  const std::vector<IpAddr>& addresses) {
  auto others = other_schemas(bpffs);
  if (!others) return fail(others);
  for (const auto& other : *others) {
    for (const IpAddr& address : addresses) {
      const EndpointKey key{network, address};
      auto erased = address.is_v4()
                        ? erase_key(other / "maps" / "endpoints4", EndpointKeys::key4(key))
                        : erase_key(other / "maps" / "endpoints6", EndpointKeys::key6(key));
      if (!erased) return erased;
    }
  }
  return {};
}

Result<bool> runs_other_programs(const fs::path& bpffs, const Device& device) {
  const PinPaths pins(bpffs);
  for (const Program& program : kPrograms) {
    auto held = is_held(pins.links, program, device);
    if (!held) return held;
    if (!*held) continue;
    const UniqueFd own(bpf_obj_get((pins.progs / program.name).c_str()));
    if (!own) return errno == ENOENT ? Result<bool>(true) : sys_error(errno, "open program");
    auto info = program_info(own.get());
    if (!info) return fail(info);
    auto attached = is_attached(pins.links, program, device, info->id);
    if (!attached || !*attached) return attached ? Result<bool>(true) : attached;
  }
  return false;
}

Result<bool> is_kept_by_other_schema(const fs::path& bpffs, const Device& device) {
  auto others = other_schemas(bpffs);
  if (!others) return fail(others);
  return others->empty() ? Result<bool>(false) : runs_other_programs(bpffs, device);
}

Result<> remove_other_schemas(const fs::path& bpffs, const fs::path& run_dir) {
  auto lock = FileLock::acquire(run_dir / kDataplaneLock, kLoadTimeout);
  if (!lock) return fail(lock);
  auto others = other_schemas(bpffs);
  if (!others) return fail(others);
  for (const auto& other : *others) {
    if (auto taken = take_counts(bpffs, other); !taken) return taken;
    if (auto removed = remove_schema(other); !removed) return removed;
  }
  return {};
}

}  // namespace kubecni
