#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <functional>

namespace kubecni {

/// Runs `prepare`, then `body` in a process with network, mount, process, UTS and
/// IPC namespaces of its own, and returns its exit status, or 1 with a line on
/// standard error when that could not be set up. There, /run and /sys/fs/bpf are
/// private and empty, and TMPDIR is below /run: what is written to them is memory
/// that goes with the last process. The kernel kills every process in there when
/// this one ends, however it ends, so nothing is left behind, and several run
/// side by side with the same names.
///
/// Needs root. Call it before any thread exists.
int run_in_sandbox(const std::function<Result<>()>& prepare, const std::function<int()>& body);

// For `prepare`; both make the folder `path` private.

/// What is written below `path` from now on goes to memory.
Result<> make_private(const std::filesystem::path& path);
/// `path` is an empty folder from now on, whose content is in memory.
Result<> make_empty(const std::filesystem::path& path);

}  // namespace kubecni
