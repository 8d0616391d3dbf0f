#pragma once

#include "base/folder_watch.hpp"
#include "base/result.hpp"
#include "control/install/conf_list.hpp"
#include "control/install/plugin_versions.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// How long a plugin may take to answer VERSION.
inline constexpr std::chrono::seconds kAnswerTime{2};

/// How long after its start the daemon waits for a plugin that the list had before.
inline constexpr std::chrono::minutes kMissedFor{1};

/// The plugin's program in the runtime's folder.
inline constexpr const char* kProgramName = "kube-cni";

/// The state of the list of plugins that the runtime reads.
struct ListState {
  std::string path;  ///< empty: the daemon keeps none
  bool exists = false;
  std::string cni_version;           ///< the highest version that a runtime may choose
  std::vector<std::string> plugins;  ///< in the list, in its order
};

/// Keeps the plugin's program and the list of plugins in the runtime's folders, also if somebody
/// removes or damages them. Leaves files of others alone. Never removes its own list: without a
/// list the runtime cannot even stop a pod.
class InstallController {
 public:
  /// Errors: those of FolderWatch::open().
  static Result<InstallController> open(const DaemonOptions& options);

  /// Readable when something changed in one of the folders, or a plugin has answered.
  [[nodiscard]] int fd() const { return watch_->fd(); }
  void drain() { watch_->drain(); }

  /// Corrects the program, then the list. Makes or changes the list only after all plugins in it
  /// have answered VERSION, and once the node can take pods: `why_not_ready` is empty, or was empty
  /// in an earlier call.
  void sync(const std::string& why_not_ready, Outcome& outcome);
  /// The list after the last sync().
  [[nodiscard]] const ListState& state() const { return state_; }

 private:
  InstallController(DaemonOptions options, FolderWatch watch)
      : options_(std::move(options)), watch_(std::make_shared<FolderWatch>(std::move(watch))) {}

  void prepare(const std::filesystem::path& folder, Outcome& outcome);
  void sync_program(Outcome& outcome);
  void sync_list(const std::string& why_not_ready, Outcome& outcome);
  std::optional<ChainPlan> plan(Outcome& outcome);
  [[nodiscard]] std::string find_missed(const std::vector<ChainLink>& links,
                                        PluginVersions::Clock::time_point now) const;

  DaemonOptions options_;
  std::shared_ptr<FolderWatch> watch_;  ///< shared with the threads that ask plugins
  PluginVersions versions_{kAnswerTime, [watch = watch_] { watch->wake(); }};
  PluginVersions::Clock::time_point started_ = PluginVersions::Clock::now();
  ListState state_;
  bool could_take_pods_ = false;
  /// The identities of the program to install and of the installed one when they were last equal.
  std::optional<std::pair<FileIdentity, FileIdentity>> equal_;
};

/// Makes `text` the list at `path`, in a way that a running containerd reads it.
/// Result: whether the file was changed. Errors: those of write_file_atomically().
Result<bool> ensure_conf_list(const std::filesystem::path& path, std::string_view text);

/// Makes the file at `path` a copy of `source` that everybody may execute. A program that runs
/// keeps its old file. Result: whether the file was changed.
/// Errors: those of reading `source` and of write_file_atomically().
Result<bool> ensure_program(const std::filesystem::path& path, const std::filesystem::path& source);

/// The configuration files among `names` that a runtime prefers to `own`: their names sort before
/// it. Pure.
std::vector<std::string> find_preferred(const std::vector<std::string>& names,
                                        const std::string& own);

}  // namespace kubecni
