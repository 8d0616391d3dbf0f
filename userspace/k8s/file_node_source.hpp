#pragma once

#include "base/unique_fd.hpp"
#include "k8s/node_source.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

namespace kubecni {

/// Nodes from a file with a node list (see parse_node_list), read again on each edit.
///
/// inotify(7) watches the directory, not the file, so that in-place writes,
/// renames, symlink swaps (`..data` of a ConfigMap) and re-creation are all
/// noticed. A link to a file in another directory is followed, but a write
/// there goes unnoticed. While the directory is gone nothing makes fd() readable;
/// then take() looks for itself, so that it is called now and then all the same.
class FileNodeSource final : public NodeSource {
 public:
  /// The file may be absent so far, which is then the first error of take().
  /// Errors: ENOENT, ENOTDIR no such directory; EMFILE, ENOSPC out of inotify
  /// instances or watches.
  static Result<std::unique_ptr<NodeSource>> open(std::filesystem::path path);

  [[nodiscard]] int fd() const override { return inotify_.get(); }
  std::optional<Result<NodeSnapshot>> take() override;
  [[nodiscard]] SourceStatus status() const override;
  [[nodiscard]] std::string describe() const override { return "file:" + path_.string(); }

 private:
  FileNodeSource(std::filesystem::path path, UniqueFd inotify)
      : path_(std::move(path)), inotify_(std::move(inotify)) {}

  Result<NodeSnapshot> load();
  void note_status();

  std::filesystem::path path_;
  UniqueFd inotify_;
  bool watching_ = true;  ///< false: the folder is gone, so that no event will come
  std::optional<Result<NodeSnapshot>> last_;
  mutable std::mutex status_mutex_;
  SourceStatus status_;
};

}  // namespace kubecni
