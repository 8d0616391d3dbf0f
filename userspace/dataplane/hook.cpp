#include "dataplane/hook.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/libbpf_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

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

/// Uses the pinned link again if it still holds the device. False: there is none.
Result<bool> update_link(const std::filesystem::path& pin, const Device& device, int prog_fd) {
  auto link = open_link(pin);
  if (!link) return fail(link);
  if (!*link) return false;
  if ((*link)->ifindex == device.ifindex &&
      bpf_link_update((*link)->fd.get(), prog_fd, nullptr) == 0)
    return true;
  // Left from a device that is gone, or that had the same name.
  bpf_link_detach((*link)->fd.get());
  if (auto removed = delete_file(pin); !removed) return fail(removed);
  return false;
}

/// False: this kernel has no such link.
Result<bool> create_link(const std::filesystem::path& pin, const Program& program,
                         const Device& device, int prog_fd) {
  const UniqueFd link(bpf_link_create(prog_fd, static_cast<int>(device.ifindex),
                                      holders_at(program.hook).link, nullptr));
  if (!link && errno == EINVAL) return false;
  if (!link) return sys_error(errno, "attach " + label(program, device));
  int pinned = bpf_obj_pin(link.get(), pin.c_str());
  if (pinned != 0 && errno == ENOENT) {
    // Somebody removed the folder with all links, to take the programs off.
    if (auto made = ensure_directory(pin.parent_path()); !made) return fail(made);
    pinned = bpf_obj_pin(link.get(), pin.c_str());
  }
  if (pinned != 0) return sys_error(errno, "pin link " + pin.string());
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

/// The name of the filter's program; empty if it has gone meanwhile.
std::string program_of(const bpf_tc_opts& filter) {
  const UniqueFd program(bpf_prog_get_fd_by_id(filter.prog_id));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return "";
  return info.name;
}

bool is_ours(const bpf_tc_opts& filter) {
  const std::string name = program_of(filter);
  return std::ranges::any_of(kPrograms,
                             [&](const Program& program) { return name == program.name; });
}

/// The program's own filter. The same place may hold the filter of the device's other role: a pod's
/// veth has from_pod where a NIC has from_wire.
std::optional<bpf_tc_opts> find_own_filter(const Program& program, const Device& device) {
  auto there = find_filter(program, device);
  if (there && program_of(*there) != program.name) return std::nullopt;
  return there;
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
  auto reused = update_link(pin, device, prog_fd);
  if (!reused) return fail(reused);
  if (*reused) return AttachKind::kTcx;
  // Fails if the kernel has no cls_bpf, or somebody else has the place.
  if (preferred == AttachKind::kClsact && attach_clsact(program, device, prog_fd))
    return AttachKind::kClsact;
  auto on_tcx = create_link(pin, program, device, prog_fd);
  if (!on_tcx) return fail(on_tcx);
  if (*on_tcx) return AttachKind::kTcx;
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
    return delete_file(pin);
  }
  if (!find_own_filter(program, device)) return {};
  bpf_tc_hook tc = tc_hook(program, device);
  bpf_tc_opts filter = our_filter();
  const int error = bpf_tc_detach(&tc, &filter);
  if (error < 0 && error != -ENOENT && error != -ENODEV)
    return sys_error(-error, "detach " + label(program, device));
  return {};
}

Result<bool> is_held(const std::filesystem::path& links_dir, const Program& program,
                     const Device& device) {
  auto link = open_link(pin_path(links_dir, program, device));
  if (!link) return fail(link);
  if (*link) return (*link)->ifindex == device.ifindex;
  return find_own_filter(program, device).has_value();
}

Result<bool> is_attached(const std::filesystem::path& links_dir, const Program& program,
                         const Device& device, unsigned prog_id) {
  auto link = open_link(pin_path(links_dir, program, device));
  if (!link) return fail(link);
  if (*link) return (*link)->ifindex == device.ifindex && (*link)->prog_id == prog_id;
  const auto filter = find_filter(program, device);
  return filter && filter->prog_id == prog_id;
}

}  // namespace kubecni
