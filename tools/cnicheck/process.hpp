#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace kubecni::cnicheck {

/// One program to execute. Its environment is only `env`.
struct ProcessSpec {
  std::string program;  ///< a path, or a name to find in PATH
  std::vector<std::string> args;
  std::vector<std::string> env;  ///< "NAME=value"
  std::string input;
  bool stdin_closed = false;  ///< no standard input at all, not even an empty one
  int netns_fd = -1;          ///< the network namespace to execute it in; -1 is the own one
  std::chrono::milliseconds timeout{30000};
};

/// How an execution ended.
struct ProcessEnd {
  int status = 0;  ///< the exit status; 128 and the signal if one ended it
  std::string out;
  std::string err;
  bool timed_out = false;  ///< it was cut off, with its whole process group
  std::chrono::microseconds took{};

  [[nodiscard]] bool succeeded() const { return status == 0 && !timed_out; }
  /// `exit status 1, stdout "...", stderr "..."`, shortened, for a report.
  [[nodiscard]] std::string describe() const;
};

/// Executes `spec` and waits for it. Children that it leaves behind keep running.
/// Errors: those of pipe2(2) and fork(2); ENOENT no such program.
Result<ProcessEnd> run_process(const ProcessSpec& spec);

/// A started program whose pipes the caller serves.
struct Child {
  pid_t pid = -1;
  UniqueFd in, out, err;
};

/// Starts `spec` in a session of its own. `prepare` runs in the child as the
/// last thing before execve(2); it may do only what is safe after fork(2).
Result<Child> spawn(const ProcessSpec& spec, bool (*prepare)() = nullptr);

/// Reads what `fd` has now; false at its end.
bool read_available(int fd, std::string& into);

/// The exit status as a shell tells it, from that of waitpid(2).
int exit_status(int wait_status);

}  // namespace kubecni::cnicheck
