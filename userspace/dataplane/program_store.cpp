#include "dataplane/program_store.hpp"

#include "dataplane/pins.hpp"
#include "dataplane/program_object.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <string_view>

namespace kubecni {

Result<ProgramStore> ProgramStore::open(const std::filesystem::path& bpffs,
                                        std::initializer_list<kubecni_device> kinds) {
  const PinPaths pins(bpffs);
  ProgramStore store(pins.links);
  for (const kubecni_device kind : kinds) {
    for (const Program& program : programs_on(kind)) {
      const auto path = pins.progs / program.name;
      UniqueFd fd(bpf_obj_get(path.c_str()));
      if (!fd) return sys_error(errno, "open program " + path.string());
      store.opened_.push_back({program, std::move(fd)});
    }
  }
  return store;
}

Result<AttachKind> ProgramStore::attach(const Program& program, const Device& device,
                                        AttachKind preferred) const {
  const auto found = std::ranges::find(opened_, std::string_view(program.name),
                                       [](const Opened& opened) { return opened.program.name; });
  if (found == opened_.end())
    return failure(ENOENT, std::string("program ") + program.name + " was not opened");
  return kubecni::attach(links_, program, device, found->fd.get(), preferred);
}

Result<AttachKind> ProgramStore::attach(kubecni_device kind, const Device& device,
                                        AttachKind preferred) const {
  AttachKind attached_as{};
  for (const Program& program : programs_on(kind)) {
    auto attached = attach(program, device, preferred);
    if (!attached) return attached;
    attached_as = *attached;
  }
  return attached_as;
}

Result<std::vector<std::string>> ProgramStore::missing(kubecni_device kind,
                                                       const Device& device) const {
  std::vector<std::string> names;
  for (const auto& [program, fd] : opened_) {
    if (program.kind != kind) continue;
    auto info = program_info(fd.get());
    if (!info) return fail(info);
    auto attached = kubecni::is_attached(links_, program, device, info->id);
    if (!attached) return fail(attached);
    if (!*attached) names.emplace_back(program.name);
  }
  return names;
}

Result<bool> ProgramStore::is_attached(kubecni_device kind, const Device& device) const {
  auto names = missing(kind, device);
  if (!names) return fail(names);
  return names->empty();
}

Result<bool> ProgramStore::asks_conntrack() const {
  return kubecni::asks_conntrack(opened_.front().fd.get());
}

Result<> detach_programs(const std::filesystem::path& bpffs, kubecni_device kind,
                         const Device& device) {
  const PinPaths pins(bpffs);
  const auto programs = programs_on(kind);
  for (const Program& program : programs | std::views::reverse) {
    if (auto detached = detach(pins.links, program, device); !detached) return detached;
  }
  return {};
}

Result<bool> is_any_held(const std::filesystem::path& bpffs, kubecni_device kind,
                         const Device& device) {
  const PinPaths pins(bpffs);
  for (const Program& program : programs_on(kind)) {
    auto held = is_held(pins.links, program, device);
    if (!held || *held) return held;
  }
  return false;
}

}  // namespace kubecni
