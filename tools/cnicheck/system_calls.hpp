#pragma once

#include <sys/types.h>

namespace kubecni::cnicheck {

/// Makes each system call of the calling process, of its threads and of its
/// future children, that may change something a stop for its tracer
/// (SECCOMP_RET_TRACE). Safe after fork(2).
/// Source: seccomp(2), ptrace(2).
bool stop_at_changing_calls();

/// Whether the system call before which `task` is stopped changes something:
/// its arguments decide. What cannot be told counts as a change.
bool is_change(pid_t task);

}  // namespace kubecni::cnicheck
