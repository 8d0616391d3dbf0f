#pragma once

#include "base/file.hpp"
#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace kubecni {

/// What plugins answer to VERSION (CNI specification 1.1.0, section 2). Asks each program once, and
/// again after the program has changed.
class PluginVersions {
 public:
  using Clock = std::chrono::steady_clock;

  /// `deadline`: for one answer. Calls `answered` on another thread when ask() has an answer to
  /// return.
  explicit PluginVersions(
      std::chrono::milliseconds deadline = std::chrono::seconds(2),
      std::function<void()> answered = [] {})
      : deadline_(deadline), answered_(std::move(answered)) {}

  /// The versions of the specification that the plugin `type` in `bin_dir` supports, in the order
  /// of its answer. Executes the plugin on a thread of its own, and does not wait.
  ///
  /// Asks a plugin that failed again after a minute; until then the error stays. If a plugin is
  /// gone or fails, its last answer holds for another minute: a package may be replaced just now.
  /// Pods that start meanwhile fail and are tried again; they do not start without the plugin.
  /// Errors: EINPROGRESS it is being asked; ENOENT not there, or not executable; ETIMEDOUT no
  /// answer; EBADMSG the answer cannot be read; EAGAIN no thread.
  Result<std::vector<std::string>> ask(const std::filesystem::path& bin_dir,
                                       const std::string& type, Clock::time_point now);

 private:
  using Answer = Result<std::vector<std::string>>;
  struct Known {
    FileIdentity program{};
    std::optional<Answer> answer;
    Clock::time_point asked;
    std::future<Answer> next_answer;  ///< valid while the program is being asked
    std::jthread asking = {};
  };
  struct Good {
    std::vector<std::string> versions;
    Clock::time_point seen;
  };
  Answer answer_of(const std::filesystem::path& program, Clock::time_point now);
  Result<> begin_to_ask(const std::filesystem::path& program, Known& known);

  std::chrono::milliseconds deadline_;
  std::function<void()> answered_;
  std::map<std::filesystem::path, Known> known_;
  std::map<std::filesystem::path, Good> good_;
};

/// The versions in a plugin's answer to VERSION. Errors: EBADMSG it has none.
Result<std::vector<std::string>> parse_versions(std::string_view answer);

}  // namespace kubecni
