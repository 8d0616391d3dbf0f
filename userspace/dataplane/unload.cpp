#include "dataplane/unload.hpp"

#include "base/file.hpp"
#include "dataplane/bpf_fs.hpp"
#include "dataplane/pins.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

/// Whether anything was done, and the first error.
struct Progress {
  bool any = false;
  std::optional<Error> error;

  void note(const Result<>& done) {
    any = any || done;
    if (!done && !error) error = done.error();
  }
};

void detach_all(const fs::path& links_dir, const std::vector<Device>& devices, Progress& progress) {
  for (const Device& device : devices) {
    for (const Program& program : kPrograms) {
      auto held = is_held(links_dir, program, device);
      if (!held || *held)
        progress.note(held ? detach(links_dir, program, device) : Result<>(fail(held)));
    }
  }
}

/// "eth0_from_wire", even if the device is gone.
bool is_link_of_ours(const std::string& name) {
  return std::ranges::any_of(kPrograms, [&](const Program& program) {
    return name.ends_with(std::string("_") + program.name);
  });
}

void remove_pins(const fs::path& bpffs, Progress& progress) {
  const fs::path links = PinPaths(bpffs).links;
  auto link_names = list_directory(links);
  if (!link_names) return progress.note(fail(link_names));
  for (const auto& name : *link_names)
    if (is_link_of_ours(name)) progress.note(delete_file(links / name));
  auto schemas = list_schemas(bpffs);
  if (!schemas) return progress.note(fail(schemas));
  for (const auto& schema : *schemas) progress.note(remove_schema(bpffs / schema));
  // Folders with foreign files stay.
  std::error_code not_empty;
  fs::remove(links, not_empty);
  fs::remove(bpffs, not_empty);
}

}  // namespace

Result<bool> unload_dataplane(const fs::path& bpffs, const std::vector<Device>& devices) {
  Progress progress;
  detach_all(PinPaths(bpffs).links, devices, progress);
  if (is_on_bpffs(bpffs)) remove_pins(bpffs, progress);
  if (progress.error) return std::unexpected(*progress.error);
  return progress.any;
}

}  // namespace kubecni
