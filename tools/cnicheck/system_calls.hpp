#pragma once

#include <sys/types.h>

namespace kubecni::cnicheck {

/// Stops the calling process, its threads and its future children for their tracer before each
/// system call that may change something (SECCOMP_RET_TRACE). Safe after fork(2). Source:
/// seccomp(2), ptrace(2).
bool stop_at_changing_calls();

/// Whether the system call before which `task` is stopped changes something, by its arguments.
/// Unclear ones count as changes.
bool is_change(pid_t task);

}  // namespace kubecni::cnicheck
