#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/eventually.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace kubecni::test {

/// For preparation steps: a failure ends the test.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A program to run. It gets our environment, with `env` ("NAME=value") on top.
struct Command {
  std::vector<std::string> argv;
  std::vector<std::string> env = {};
  std::string input = {};  ///< for standard input
  int netns_fd = -1;       ///< the network namespace to run in; -1: ours
  /// Called in the new process right before the program: only what is safe after a fork. The
  /// program inherits its effects.
  std::function<void()> before_exec = {};
};

/// How a program ended.
struct Outcome {
  int status;  ///< exit status; 128 + signal; -1: it was still running at the deadline
  std::string out;
  std::string err;
};

/// A running program. Its destructor kills it.
class Process {
 public:
  /// Throws if it cannot be started; a program that does not exist exits with 127.
  explicit Process(const Command& command);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool is_running();
  void signal(int number);
  /// Waits for the end; a program that does not end in time is killed.
  Outcome wait(std::chrono::milliseconds deadline = kDeadline);
  /// The standard error so far, or the standard output.
  [[nodiscard]] std::string err() const;
  [[nodiscard]] std::string out() const;

 private:
  bool reap(std::chrono::milliseconds deadline);

  pid_t pid_ = -1;
  int wait_status_ = 0;
  bool reaped_ = false;
  UniqueFd pidfd_;
  UniqueFd out_;
  UniqueFd err_;
};

/// Runs a program to its end.
Outcome run(const Command& command, std::chrono::milliseconds deadline = kDeadline);

/// Runs a program that must succeed, and returns its standard output.
std::string must_run(const Command& command, std::chrono::milliseconds deadline = kDeadline);

}  // namespace kubecni::test
