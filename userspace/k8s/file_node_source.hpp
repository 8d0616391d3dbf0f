#pragma once

#include "base/folder_watch.hpp"
#include "k8s/node_source.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

namespace kubecni {

/// Nodes from a file with a node list (see parse_node_list), read again on each edit.
///
/// Watches the directory, see FolderWatch. Follows a link to a file in another directory, but does
/// not notice writes there. While the directory is gone, nothing makes fd() readable; take() then
/// checks by itself, so call it now and then.
class FileNodeSource final : public NodeSource {
 public:
  /// The file may not exist yet; then the first take() returns that error.
  /// Errors: ENOENT, ENOTDIR no such directory; EMFILE, ENOSPC out of inotify
  /// instances or watches.
  static Result<std::unique_ptr<NodeSource>> open(std::filesystem::path path);

  [[nodiscard]] int fd() const override { return watch_.fd(); }
  std::optional<Result<NodeNews>> take() override;
  void read(const std::function<void(const NodeSnapshot&)>& look) const override { look(nodes_); }
  [[nodiscard]] SourceStatus status() const override;
  [[nodiscard]] std::string describe() const override { return "file:" + path_.string(); }

 private:
  FileNodeSource(std::filesystem::path path, FolderWatch watch)
      : path_(std::move(path)), watch_(std::move(watch)) {}

  Result<NodeSnapshot> load();
  void note_heard();
  void note_status(const std::string& error);

  std::filesystem::path path_;
  FolderWatch watch_;
  bool watching_ = true;  ///< false: the folder is gone, so that no event will come
  bool was_read_ = false;
  NodeSnapshot nodes_;
  std::string last_error_;
  mutable std::mutex status_mutex_;
  SourceStatus status_;
};

}  // namespace kubecni
