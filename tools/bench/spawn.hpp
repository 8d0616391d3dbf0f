#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace kubecni::bench {

/// A program that runs in the background, in a network namespace. It ends with the object.
class BackgroundProcess {
 public:
  /// Starts `argv`; its standard error goes to the file `log`, which is new. Errors: those of
  /// posix_spawn(3).
  static Result<BackgroundProcess> start(int netns_fd, std::vector<std::string> argv,
                                         const std::filesystem::path& log);
  BackgroundProcess(BackgroundProcess&& other) noexcept;
  BackgroundProcess& operator=(BackgroundProcess&& other) noexcept;
  ~BackgroundProcess() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  explicit BackgroundProcess(pid_t pid) : pid_(pid) {}
  void end();
  pid_t pid_ = -1;
};

}  // namespace kubecni::bench
