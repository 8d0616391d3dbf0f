#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace kubecni::bench {

/// The resources of a process, from proc(5).
struct ProcessUsage {
  std::uint64_t resident = 0;       ///< bytes, VmRSS
  std::uint64_t anonymous = 0;      ///< bytes of it that are its own: heap, stacks, written data
  std::uint64_t peak_resident = 0;  ///< bytes, VmHWM
  unsigned threads = 0;
  unsigned open_files = 0;
  std::chrono::milliseconds cpu{};        ///< user and system time so far, in steps of 10 ms
  std::chrono::milliseconds probe_cpu{};  ///< of it the thread that tests other nodes
};

/// Errors: ENOENT there is no such process; EBADMSG unknown format.
Result<ProcessUsage> usage_of(pid_t pid);

/// The number after "name:" in /proc/PID/status; memory is in kB there. Pure.
/// Errors: EBADMSG there is none.
Result<std::uint64_t> number_in_status(const std::string& status, const std::string& name);

/// The CPU time in /proc/PID/stat, in clock ticks. The program's name in there may be any text.
/// Pure.
/// Errors: EBADMSG.
Result<std::uint64_t> cpu_ticks_in_stat(const std::string& stat);

}  // namespace kubecni::bench
