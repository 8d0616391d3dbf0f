#include "dataplane/program_loader.hpp"

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "base/unique_fd.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/pins.hpp"
#include "dataplane/program.hpp"
#include "dataplane/program_object.hpp"
#include "state/files.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace kubecni {

namespace {

/// Pins under another name and renames, so that there is always a program.
Result<> pin_program(const PinPaths& pins, const bpf_program* program) {
  const auto path = pins.progs / bpf_program__name(program);
  const auto temporary = pins.progs / (std::string(bpf_program__name(program)) + "_new");
  if (auto removed = delete_file(temporary); !removed) return fail(removed);
  if (bpf_obj_pin(bpf_program__fd(program), temporary.c_str()) != 0 ||
      std::rename(temporary.c_str(), path.c_str()) != 0)
    return sys_error(errno, "pin program " + path.string());
  return {};
}

Result<> pin_programs(const PinPaths& pins, const BpfObject& object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    if (auto pinned = pin_program(pins, program); !pinned) return fail(pinned);
  }
  return {};
}

Result<> ensure_folders(const PinPaths& pins) {
  for (const auto& folder : {pins.maps, pins.progs, pins.links}) {
    if (auto made = ensure_bpffs(folder); !made) return fail(made);
  }
  return {};
}

/// Whether the pinned program differs from the loaded one, or is none.
Result<bool> differs(const PinPaths& pins, const BpfObject& object, const char* name) {
  const auto path = pins.progs / name;
  const UniqueFd there(bpf_obj_get(path.c_str()));
  if (!there) return true;
  const auto* built = bpf_object__find_program_by_name(object.get(), name);
  auto ours = program_info(bpf_program__fd(built));
  auto pinned = program_info(there.get());
  if (!ours) return fail(ours);
  return !pinned || std::memcmp(ours->tag, pinned->tag, sizeof(ours->tag)) != 0;
}

}  // namespace

Result<> load_and_pin(const std::filesystem::path& bpffs, const std::filesystem::path& run_dir,
                      const LoadOptions& options) {
  if (auto made = ensure_directory(run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(run_dir / kDataplaneLock, options.patience);
  if (!lock) return fail(lock);
  const PinPaths pins(bpffs);
  if (is_complete(pins)) return {};  // another process was faster
  if (auto made = ensure_folders(pins); !made) return fail(made);
  auto loaded = load_programs(pins.maps, options.max_flows);
  if (!loaded) return fail(loaded);
  return pin_programs(pins, loaded->object);
}

Result<Upgrade> upgrade_programs(const std::filesystem::path& bpffs,
                                 const std::filesystem::path& run_dir, const LoadOptions& options) {
  if (auto made = ensure_directory(run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(run_dir / kDataplaneLock, options.patience);
  if (!lock) return fail(lock);
  const PinPaths pins(bpffs);
  const bool were_there = is_complete(pins);
  if (auto made = ensure_folders(pins); !made) return fail(made);
  auto loaded = load_programs(pins.maps, options.max_flows);
  if (!loaded) return fail(loaded);
  Upgrade upgrade{!were_there, loaded->no_conntrack_reason};
  for (const Program& program : kPrograms) {
    if (upgrade.differed) break;
    auto other = differs(pins, loaded->object, program.name);
    if (!other) return fail(other);
    upgrade.differed = *other;
  }
  if (!upgrade.differed) return upgrade;
  if (auto pinned = pin_programs(pins, loaded->object); !pinned) return fail(pinned);
  return upgrade;
}

}  // namespace kubecni
