#pragma once

#include "base/file.hpp"
#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kubecni {

/// What plugins answer to VERSION (CNI specification 1.1.0, section 2): asked once for each
/// program, and again when the program is another.
class PluginVersions {
 public:
  using Clock = std::chrono::steady_clock;

  /// Waits that long for a plugin's answer.
  explicit PluginVersions(std::chrono::milliseconds deadline = std::chrono::seconds(2))
      : deadline_(deadline) {}

  /// The versions of the specification that the plugin `type` in `bin_dir` speaks, in the
  /// order in which it says them. Executes it.
  ///
  /// One that failed is asked again after a minute. One that answered before and has gone,
  /// or fails now, speaks for another minute what it spoke: packages are replaced in steps,
  /// and pods that start meanwhile shall fail and be tried again, not start without it.
  /// Errors: ENOENT not there, or not executable here; ETIMEDOUT no answer; EBADMSG no
  /// answer that can be read.
  Result<std::vector<std::string>> ask(const std::filesystem::path& bin_dir,
                                       const std::string& type, Clock::time_point now);

 private:
  using Answer = Result<std::vector<std::string>>;
  struct Known {
    FileIdentity program{};
    Answer answer;
    Clock::time_point asked;
  };
  struct Good {
    std::vector<std::string> versions;
    Clock::time_point seen;
  };
  Answer answer_of(const std::filesystem::path& program, Clock::time_point now);

  std::chrono::milliseconds deadline_;
  std::map<std::filesystem::path, Known> known_;
  std::map<std::filesystem::path, Good> good_;
};

/// The versions in a plugin's answer to VERSION. Errors: EBADMSG there are none in it.
Result<std::vector<std::string>> parse_versions(std::string_view answer);

}  // namespace kubecni
