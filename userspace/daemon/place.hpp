#pragma once

#include "base/file_lock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace kubecni {

/// The place of the one daemon of a node: a lock in the run folder, and an abstract socket, which
/// nobody can remove. The socket is of the network namespace. Both go with the process.
class DaemonPlace {
 public:
  /// Makes the run folder, and waits 5 s for another daemon to end. Runs in the node's namespace.
  /// Errors: EBUSY another one runs; those of making the folder.
  static Result<DaemonPlace> take(const std::filesystem::path& run_dir);

  /// Makes folder and lock anew if somebody removed them, and answers those who ask who has the
  /// socket. Returns whether it had to make something.
  /// Errors: ETIMEDOUT somebody else has the new lock; those of making the folder.
  Result<bool> keep();

 private:
  DaemonPlace(std::filesystem::path path, FileLock lock, UniqueFd socket)
      : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

  std::filesystem::path path_;
  FileLock lock_;
  UniqueFd socket_;  ///< none if one who is no kube-cnid has its name
};

}  // namespace kubecni
