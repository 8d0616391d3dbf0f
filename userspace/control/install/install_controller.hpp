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

/// How it stands with the list of plugins that the runtime reads.
struct ListState {
  std::string path;  ///< empty: the daemon was not asked for one
  bool exists = false;
  std::string cni_version;           ///< the highest that a runtime may choose
  std::vector<std::string> plugins;  ///< in the list, in its order
};

/// Keeps the plugin's program and the list of plugins in the runtime's folders: makes them,
/// and makes them again when somebody removes or damages them. What others have in these
/// folders is left alone, and our own list is never taken away: without one the runtime
/// cannot even stop a pod.
class InstallController {
 public:
  /// Errors: those of FolderWatch::open().
  static Result<InstallController> open(const DaemonOptions& options);

  /// Readable when something changed in one of the folders, or a plugin has answered.
  [[nodiscard]] int fd() const { return watch_->fd(); }
  void drain() { watch_->drain(); }

  /// Looks at everything, and puts right what is wrong: first the program, then the list,
  /// which is made or changed only while `why_not_ready` is empty, that is while the node
  /// can take pods, or could before, and when all plugins in it have answered VERSION.
  void sync(const std::string& why_not_ready, Outcome& outcome);
  /// How the list stands since; what is said of it is in the outcome.
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
  /// Of the program that is to be installed and of the installed one, when they were equal.
  std::optional<std::pair<FileIdentity, FileIdentity>> equal_;
};

/// Makes `text` the list at `path`, and sees to it that a running containerd reads it.
/// Result: whether it was another before. Errors: those of write_file_atomically().
Result<bool> ensure_conf_list(const std::filesystem::path& path, std::string_view text);

/// Makes the file at `path` a copy of `source` that all may execute. A program that runs
/// keeps its file. Result: whether it was no such copy before.
/// Errors: those of reading `source` and of write_file_atomically().
Result<bool> ensure_program(const std::filesystem::path& path, const std::filesystem::path& source);

/// Those of `names`, the files of a runtime's folder, of which it takes one instead of
/// `own`: the first by name, of those that end as configurations do. Pure.
std::vector<std::string> find_preferred(const std::vector<std::string>& names,
                                        const std::string& own);

}  // namespace kubecni
