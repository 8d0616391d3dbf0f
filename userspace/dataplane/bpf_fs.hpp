#pragma once

#include "base/result.hpp"

#include <filesystem>

namespace kubecni {

/// Makes sure that the folder `path` exists and lies on a bpf file system. Mounts a missing one
/// below /sys/fs/bpf, unless this process may have its own mounts; elsewhere the operator decides.
/// Callers hold the dataplane lock, or two would mount.
/// Errors: EMEDIUMTYPE `path` is on another file system; EPERM no right to mount, or the host would
/// not see it; those of mkdir(2).
Result<> ensure_bpffs(const std::filesystem::path& path);

/// Whether the folder `path` exists on a bpf file system.
bool is_on_bpffs(const std::filesystem::path& path);

}  // namespace kubecni
