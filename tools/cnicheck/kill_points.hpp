#pragma once

#include "base/result.hpp"
#include "process.hpp"

#include <optional>
#include <vector>

namespace kubecni::cnicheck {

/// An execution, watched for system calls that change something outside of the process: files,
/// netlink requests other than queries, BPF, socket options, ioctls, mounts.
struct TracedEnd {
  unsigned changes = 0;  ///< how many there were up to the end
  bool killed = false;
  ProcessEnd end;
};

/// Executes `spec` under ptrace(2), with all its threads and children. Before
/// change number `kill_before` (from 1) happens, all of them get SIGKILL; without
/// a number it runs to its end. Only one at a time, and no other child of the
/// caller may be running.
/// Errors: those of fork(2); EPERM this host does not allow tracing.
Result<TracedEnd> run_traced(const ProcessSpec& spec, std::optional<unsigned> kill_before);

/// At most `limit` of the numbers 1 to `changes`, evenly spread, including the first and the last.
std::vector<unsigned> spread(unsigned changes, unsigned limit);

}  // namespace kubecni::cnicheck
