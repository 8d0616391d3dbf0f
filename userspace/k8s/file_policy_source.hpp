#pragma once

#include "base/folder_watch.hpp"
#include "k8s/policy_source.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace kubecni {

/// Policies, pods and namespaces from a file (see parse_policy_objects), read again on each edit.
class FilePolicySource final : public PolicySource {
 public:
  /// The file may not exist yet. Errors: those of FolderWatch.
  static Result<std::unique_ptr<PolicySource>> open(std::filesystem::path path);

  [[nodiscard]] int fd() const override { return watch_.fd(); }
  bool take() override;
  [[nodiscard]] bool is_known() const override { return is_known_; }
  [[nodiscard]] const PolicyObjects& read() const override { return objects_; }
  [[nodiscard]] std::string error() const override { return error_; }

 private:
  FilePolicySource(std::filesystem::path path, FolderWatch watch)
      : path_(std::move(path)), watch_(std::move(watch)) {}
  Result<PolicyObjects> load();

  std::filesystem::path path_;
  FolderWatch watch_;
  bool is_watching_ = true;  ///< false: the folder is gone, so that no event will come
  bool is_known_ = false;
  PolicyObjects objects_;
  std::string error_;
};

}  // namespace kubecni
