#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <filesystem>

namespace kubecni {

/// An exclusive flock(2) on a file that is created for it and stays. The kernel releases it when
/// the holder ends, in whatever way.
class FileLock {
 public:
  /// Waits up to `timeout` for the lock, with a timer and SIGRTMIN. Those who wait get it about in
  /// turn. Errors: those of open(2); ETIMEDOUT somebody else keeps it.
  static Result<FileLock> acquire(const std::filesystem::path& path,
                                  std::chrono::milliseconds timeout);

  /// Whether `path` still names the locked file: it may have been removed, and made anew.
  [[nodiscard]] bool is_at(const std::filesystem::path& path) const;

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace kubecni
