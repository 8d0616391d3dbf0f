#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>

namespace kubecni {

/// Reports changes in folders: a file was made, written, replaced or removed, or its mode or owner
/// changed (inotify(7)).
///
/// It watches folders, not files, so it notices in-place writes, renames, symlink swaps (`..data`
/// of a ConfigMap) and re-creation. A removed folder is no longer watched, even if it comes back:
/// call watch() again.
class FolderWatch {
 public:
  /// Errors: EMFILE out of inotify instances.
  static Result<FolderWatch> open();

  /// Watches the folder that `folder` is now; repeating it changes nothing. Watch first, then read:
  /// this notices a change in between.
  /// Errors: ENOENT, ENOTDIR no such folder; ENOSPC out of watches.
  Result<> watch(const std::filesystem::path& folder);

  /// The same, but only for files that come, by rename, or are removed.
  Result<> watch_names(const std::filesystem::path& folder);

  /// Makes fd() readable, as a change would.
  void wake();

  /// Consumes all pending events. Result: whether there were any.
  bool drain();

  /// Readable when something changed.
  [[nodiscard]] int fd() const { return inotify_.get(); }

 private:
  explicit FolderWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}
  Result<> add(const std::filesystem::path& folder, std::uint32_t events);

  UniqueFd inotify_;
};

}  // namespace kubecni
