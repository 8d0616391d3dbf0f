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

/// What plugins answer to VERSION (CNI specification 1.1.0, section 2): asked once for each
/// program, and again when the program is another.
class PluginVersions {
 public:
  using Clock = std::chrono::steady_clock;

  /// Gives a plugin `deadline` for its answer. Calls `answered`, on another thread, when
  /// there is one that ask() returns.
  explicit PluginVersions(
      std::chrono::milliseconds deadline = std::chrono::seconds(2),
      std::function<void()> answered = [] {})
      : deadline_(deadline), answered_(std::move(answered)) {}

  /// The versions of the specification that the plugin `type` in `bin_dir` speaks, in the
  /// order in which it says them. Executes it on a thread of its own, and does not wait.
  ///
  /// One that failed is asked again after a minute, until when it fails as before. One that
  /// answered before and has gone, or fails now, speaks for another minute what it spoke: packages
  /// are replaced in steps, and pods that start meanwhile shall fail and be tried again, not start
  /// without it. Errors: EINPROGRESS it is being asked; ENOENT not there, or not executable here;
  /// ETIMEDOUT no answer; EBADMSG no answer that can be read; EAGAIN no thread.
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

/// The versions in a plugin's answer to VERSION. Errors: EBADMSG there are none in it.
Result<std::vector<std::string>> parse_versions(std::string_view answer);

}  // namespace kubecni
