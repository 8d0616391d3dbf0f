#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <functional>

namespace kubecni {

/// Runs `prepare`, then `body`, in a process with its own network, mount, process, UTS and IPC
/// namespaces. Returns its exit status, or 1 with a line on standard error if the set-up fails.
/// Inside, /run and /sys/fs/bpf are private and empty, and TMPDIR is below /run: they are in
/// memory, and vanish with the last process. The kernel kills every process inside when this one
/// ends, in whatever way. So nothing is left behind, and several sandboxes can run side by side
/// with the same names.
///
/// Needs root. Call it before any thread exists.
int run_in_sandbox(const std::function<Result<>()>& prepare, const std::function<int()>& body);

// For `prepare`; both make the folder `path` private.

/// From now on, writes below `path` go to memory.
Result<> make_private(const std::filesystem::path& path);
/// From now on, `path` is an empty folder in memory.
Result<> make_empty(const std::filesystem::path& path);

}  // namespace kubecni
