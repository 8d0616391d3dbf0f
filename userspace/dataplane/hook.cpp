#include "dataplane/hook.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/libbpf_log.hpp"
#include "dataplane/program_object.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kubecni {

namespace {

// BPF_TCX_INGRESS and BPF_TCX_EGRESS (kernel 6.6), which the headers of Debian
// 12 do not have yet.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

/// The kinds of link that hold programs at a hook.
struct Holders {
  bpf_attach_type link;
  /// Fallback for kernels without that link; 0: none.
  bpf_tc_attach_point filter;
};

Holders holders_at(kubecni_hook hook) {
  switch (hook) {
    case KUBECNI_HOOK_TC_INGRESS:
      return {kTcxIngress, BPF_TC_INGRESS};
    case KUBECNI_HOOK_TC_EGRESS:
      return {kTcxEgress, BPF_TC_EGRESS};
  }
  std::abort();
}

// Our place among the clsact filters of a device. Fixed: a filter left at
// another priority would run beside the new one.
constexpr unsigned kFilterPriority = 10;
constexpr unsigned kFilterHandle = 1;

// The kernel keeps a program at its hook for some milliseconds after its link has lost the last
// pin, and refuses the same program beside it.
constexpr std::chrono::seconds kReleaseTimeout{1};
constexpr std::chrono::milliseconds kReleaseCheck{2};

std::string label(const Program& program, const Device& device) {
  return std::string(program.name) + " to " + device.name;
}

/// bpffs allows no '.' in names, and no device name has a ':'.
std::filesystem::path pin_path(const std::filesystem::path& links_dir, const Program& program,
                               const Device& device) {
  std::string name = device.name + "_" + program.name;
  std::replace(name.begin(), name.end(), '.', ':');
  return links_dir / name;
}

struct LinkState {
  UniqueFd fd;
  unsigned ifindex;  // 0: the device is gone
  unsigned prog_id;
};

/// The pinned link; empty if nothing is pinned.
Result<std::optional<LinkState>> open_link(const std::filesystem::path& pin) {
  UniqueFd fd(bpf_obj_get(pin.c_str()));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return sys_error(errno, "open link " + pin.string());
  bpf_link_info info{};
  __u32 info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &info_size) != 0)
    return sys_error(errno, "read link " + pin.string());
  // The ifindex of a tcx link lies where that of an XDP link does: first.
  return LinkState{std::move(fd), info.xdp.ifindex, info.prog_id};
}

bool counts_exits(unsigned map_id) {
  const UniqueFd map(bpf_map_get_fd_by_id(map_id));
  bpf_map_info info{};
  __u32 size = sizeof(info);
  return map && bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 &&
         std::string_view(info.name) == "exit_counts";
}

/// Whether the program is any version of ours with that name. Others may call theirs the same; each
/// of ours has the map exit_counts.
bool is_own_program(unsigned prog_id, std::string_view name) {
  constexpr std::size_t kMostMaps = 64;  // MAX_USED_MAPS
  const UniqueFd program(bpf_prog_get_fd_by_id(prog_id));
  std::array<__u32, kMostMaps> map_ids{};
  bpf_prog_info info{};
  info.map_ids = reinterpret_cast<std::uintptr_t>(map_ids.data());
  info.nr_map_ids = kMostMaps;
  __u32 size = sizeof(info);
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0 || name != info.name)
    return false;
  return std::ranges::any_of(map_ids | std::views::take(info.nr_map_ids), counts_exits);
}

/// A program at a tcx hook.
struct TcxEntry {
  unsigned prog_id;
  unsigned link_id;  // 0: no link holds it
};

/// What BPF_PROG_QUERY takes since kernel 6.6; the headers of Debian 12 know no link ids.
struct TcxQuery {
  __u32 target_ifindex;
  __u32 attach_type;
  __u32 query_flags;
  __u32 attach_flags;
  __aligned_u64 prog_ids;
  __u32 count;
  __u32 pad;
  __aligned_u64 prog_attach_flags;
  __aligned_u64 link_ids;
  __aligned_u64 link_attach_flags;
  __aligned_u64 revision;
};

/// What runs at the tcx hook of the device, whoever pinned it, in the order of running. Empty if
/// the kernel has no tcx, or the device is gone.
std::vector<TcxEntry> list_tcx(const Program& program, const Device& device) {
  constexpr std::size_t kMostAtAHook = 64;  // BPF_MPROG_MAX
  std::array<__u32, kMostAtAHook> prog_ids{}, link_ids{};
  TcxQuery query{};
  query.target_ifindex = device.ifindex;
  query.attach_type = holders_at(program.hook).link;
  query.prog_ids = reinterpret_cast<std::uintptr_t>(prog_ids.data());
  query.link_ids = reinterpret_cast<std::uintptr_t>(link_ids.data());
  query.count = kMostAtAHook;
  if (device.ifindex == 0 || ::syscall(__NR_bpf, BPF_PROG_QUERY, &query, sizeof(query)) != 0)
    return {};
  std::vector<TcxEntry> entries;
  entries.reserve(query.count);
  for (std::size_t i = 0; i < query.count; ++i) entries.push_back({prog_ids[i], link_ids[i]});
  return entries;
}

/// Any version of our program. A file system with its pin may have been unmounted here, and live on
/// in another mount namespace. So only the device tells what runs.
std::vector<TcxEntry> list_own_tcx(const Program& program, const Device& device) {
  auto entries = list_tcx(program, device);
  std::erase_if(
      entries, [&](const TcxEntry& entry) { return !is_own_program(entry.prog_id, program.name); });
  return entries;
}

void detach_tcx(const Program& program, const Device& device, const TcxEntry& entry) {
  if (entry.link_id != 0) {
    const UniqueFd link(bpf_link_get_fd_by_id(entry.link_id));
    if (link) bpf_link_detach(link.get());  // else it is going already
    return;
  }
  const UniqueFd prog(bpf_prog_get_fd_by_id(entry.prog_id));
  if (prog)
    bpf_prog_detach2(prog.get(), static_cast<int>(device.ifindex), holders_at(program.hook).link);
}

Result<> pin_link(int link_fd, const std::filesystem::path& pin) {
  int pinned = bpf_obj_pin(link_fd, pin.c_str());
  if (pinned != 0 && errno == ENOENT) {
    // Somebody removed the folder with all links, to take the programs off.
    if (auto made = ensure_directory(pin.parent_path()); !made) return fail(made);
    pinned = bpf_obj_pin(link_fd, pin.c_str());
  }
  if (pinned != 0) return sys_error(errno, "pin link " + pin.string());
  return {};
}

/// Uses the pinned link again if it still holds the device. False: there is none.
Result<bool> update_link(const std::filesystem::path& pin, const Device& device, int prog_fd) {
  auto link = open_link(pin);
  if (!link) return fail(link);
  if (!*link) return false;
  if ((*link)->ifindex == device.ifindex &&
      bpf_link_update((*link)->fd.get(), prog_fd, nullptr) == 0)
    return true;
  // Left from a device that is gone, or that has another name now: then it has another pin, too.
  if ((*link)->ifindex == device.ifindex) bpf_link_detach((*link)->fd.get());
  if (auto removed = delete_file(pin); !removed) return fail(removed);
  return false;
}

/// Takes over a link of ours that is not pinned here, and whose program would otherwise run beside
/// the new one with maps that nobody corrects. False: there is none.
Result<bool> adopt_link(const std::filesystem::path& pin, const Program& program,
                        const Device& device, int prog_fd) {
  for (const TcxEntry& entry : list_own_tcx(program, device)) {
    const UniqueFd link(entry.link_id == 0 ? -1 : bpf_link_get_fd_by_id(entry.link_id));
    if (!link || bpf_link_update(link.get(), prog_fd, nullptr) != 0) continue;
    if (auto pinned = pin_link(link.get(), pin); !pinned) return fail(pinned);
    return true;
  }
  return false;
}

/// Like bpf_link_create(), but waits while the program is still there by a link that is going.
UniqueFd link_program(const Program& program, const Device& device, int prog_fd) {
  const auto end = std::chrono::steady_clock::now() + kReleaseTimeout;
  while (true) {
    UniqueFd link(bpf_link_create(prog_fd, static_cast<int>(device.ifindex),
                                  holders_at(program.hook).link, nullptr));
    if (link || errno != EEXIST || std::chrono::steady_clock::now() > end) return link;
    std::this_thread::sleep_for(kReleaseCheck);
  }
}

/// False: this kernel has no such link.
Result<bool> create_link(const std::filesystem::path& pin, const Program& program,
                         const Device& device, int prog_fd) {
  const UniqueFd link = link_program(program, device, prog_fd);
  if (!link && errno == EINVAL) return false;
  if (!link) return sys_error(errno, "attach " + label(program, device));
  if (auto pinned = pin_link(link.get(), pin); !pinned) return fail(pinned);
  return true;
}

bpf_tc_hook tc_hook(const Program& program, const Device& device) {
  bpf_tc_hook tc{};
  tc.sz = sizeof(tc);
  tc.ifindex = static_cast<int>(device.ifindex);
  tc.attach_point = holders_at(program.hook).filter;
  return tc;
}

bpf_tc_opts our_filter() {
  bpf_tc_opts filter{};
  filter.sz = sizeof(filter);
  filter.handle = kFilterHandle;
  filter.priority = kFilterPriority;
  return filter;
}

/// The filter at our place; empty if there is none.
std::optional<bpf_tc_opts> find_filter(const Program& program, const Device& device) {
  keep_libbpf_log();  // not an error if there is none
  bpf_tc_hook tc = tc_hook(program, device);
  bpf_tc_opts filter = our_filter();
  if (device.ifindex == 0 || tc.attach_point == 0 || bpf_tc_query(&tc, &filter) != 0)
    return std::nullopt;
  return filter;
}

bool is_ours(const bpf_tc_opts& filter) {
  return std::ranges::any_of(kPrograms, [&](const Program& program) {
    return is_own_program(filter.prog_id, program.name);
  });
}

/// The program's own filter. The same place may hold the filter of the device's other role: a pod's
/// veth has from_pod where a NIC has from_wire.
std::optional<bpf_tc_opts> find_own_filter(const Program& program, const Device& device) {
  auto there = find_filter(program, device);
  if (there && !is_own_program(there->prog_id, program.name)) return std::nullopt;
  return there;
}

Result<> detach_own_filter(const Program& program, const Device& device) {
  if (!find_own_filter(program, device)) return {};
  bpf_tc_hook tc = tc_hook(program, device);
  bpf_tc_opts filter = our_filter();
  const int error = bpf_tc_detach(&tc, &filter);
  if (error < 0 && error != -ENOENT && error != -ENODEV)
    return sys_error(-error, "detach " + label(program, device));
  return {};
}

/// Uses a tcx link of ours again, wherever it is pinned. False: there is none.
Result<bool> reuse_link(const std::filesystem::path& pin, const Program& program,
                        const Device& device, int prog_fd) {
  auto reused = update_link(pin, device, prog_fd);
  return !reused || *reused ? reused : adopt_link(pin, program, device, prog_fd);
}

/// Beside the link that now holds the program: other versions of our program, which would run
/// beside it.
Result<> detach_others(const Program& program, const Device& device, int prog_fd) {
  auto info = program_info(prog_fd);
  if (!info) return fail(info);
  for (const TcxEntry& entry : list_own_tcx(program, device))
    if (entry.prog_id != info->id) detach_tcx(program, device, entry);
  return detach_own_filter(program, device);
}

}  // namespace

bool has_tcx() {
  constexpr int kLoopbackIfindex = 1;
  __u32 count = 0;
  return bpf_prog_query(kLoopbackIfindex, kTcxIngress, 0, nullptr, nullptr, &count) == 0 ||
         errno != EINVAL;
}

Result<> attach_clsact(const Program& program, const Device& device, int prog_fd) {
  keep_libbpf_log();  // not an error if the qdisc exists already
  bpf_tc_hook tc = tc_hook(program, device);
  if (tc.attach_point == 0)
    return failure(ENOTSUP, "attach " + label(program, device) + ": the kernel is too old");
  const int created = bpf_tc_hook_create(&tc);
  if (created < 0 && created != -EEXIST)
    return sys_error(-created, "create the clsact qdisc of " + device.name);
  // A new qdisc has no filters yet.
  const auto there = created == 0 ? std::nullopt : find_filter(program, device);
  if (there && !is_ours(*there))
    return failure(EBUSY,
                   "attach " + label(program, device) + ": a filter that is not ours is at " +
                       "priority 10, handle 1; move it (`tc filter show dev " + device.name + "`)");
  bpf_tc_opts filter = our_filter();
  filter.prog_fd = prog_fd;
  filter.flags = BPF_TC_F_REPLACE;
  if (const int error = bpf_tc_attach(&tc, &filter); error < 0)
    return sys_error(-error, "attach " + label(program, device));
  return {};
}

Result<AttachKind> attach(const std::filesystem::path& links_dir, const Program& program,
                          const Device& device, int prog_fd, AttachKind preferred) {
  const auto pin = pin_path(links_dir, program, device);
  auto on_tcx = reuse_link(pin, program, device, prog_fd);
  if (!on_tcx) return fail(on_tcx);
  // Fails if the kernel has no cls_bpf, or somebody else has the place.
  if (!*on_tcx && preferred == AttachKind::kClsact && attach_clsact(program, device, prog_fd))
    return AttachKind::kClsact;
  if (!*on_tcx) on_tcx = create_link(pin, program, device, prog_fd);
  if (!on_tcx) return fail(on_tcx);
  if (*on_tcx) {
    if (auto detached = detach_others(program, device, prog_fd); !detached) return fail(detached);
    return AttachKind::kTcx;
  }
  if (auto attached = attach_clsact(program, device, prog_fd); !attached) return fail(attached);
  return AttachKind::kClsact;
}

Result<> detach(const std::filesystem::path& links_dir, const Program& program,
                const Device& device) {
  const auto pin = pin_path(links_dir, program, device);
  auto link = open_link(pin);
  if (!link) return fail(link);
  if (*link) {
    bpf_link_detach((*link)->fd.get());
    if (auto removed = delete_file(pin); !removed) return removed;
  }
  for (const TcxEntry& entry : list_own_tcx(program, device)) detach_tcx(program, device, entry);
  return detach_own_filter(program, device);
}

Result<bool> is_held(const std::filesystem::path& links_dir, const Program& program,
                     const Device& device) {
  auto link = open_link(pin_path(links_dir, program, device));
  if (!link) return fail(link);
  return (*link && (*link)->ifindex == device.ifindex) || !list_own_tcx(program, device).empty() ||
         find_own_filter(program, device).has_value();
}

Result<bool> is_attached(const std::filesystem::path& links_dir, const Program& program,
                         const Device& device, unsigned prog_id) {
  auto link = open_link(pin_path(links_dir, program, device));
  if (!link) return fail(link);
  // Another version may run beside the pinned one: pinned where this mount namespace does not see.
  const auto on_tcx = list_own_tcx(program, device);
  const bool alone = std::ranges::all_of(
      on_tcx, [&](const TcxEntry& entry) { return *link && entry.prog_id == prog_id; });
  if (*link)
    return alone && (*link)->ifindex == device.ifindex && (*link)->prog_id == prog_id &&
           !find_own_filter(program, device);
  const auto filter = find_filter(program, device);
  return alone && filter && filter->prog_id == prog_id;
}

}  // namespace kubecni
