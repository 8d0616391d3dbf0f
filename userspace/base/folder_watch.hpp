#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>

namespace kubecni {

/// Tells that something changed in folders: a file was made, written, replaced,
/// removed, or had its mode or owner changed (inotify(7)).
///
/// Folders are watched, not files, so that in-place writes, renames, symlink swaps
/// (`..data` of a ConfigMap) and re-creation are all noticed. A folder that is removed
/// is watched no more, also when it comes back: watch() it again.
class FolderWatch {
 public:
  /// Errors: EMFILE out of inotify instances.
  static Result<FolderWatch> open();

  /// Watches what `folder` is now; repeating it changes nothing. Watch first, then
  /// read: a change in between is noticed.
  /// Errors: ENOENT, ENOTDIR no such folder; ENOSPC out of watches.
  Result<> watch(const std::filesystem::path& folder);

  /// Makes fd() readable, as a change would.
  void wake();

  /// Reads away what there is to say. Result: whether there was anything.
  bool drain();

  /// Readable when something changed.
  [[nodiscard]] int fd() const { return inotify_.get(); }

 private:
  explicit FolderWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}

  UniqueFd inotify_;
};

}  // namespace kubecni
