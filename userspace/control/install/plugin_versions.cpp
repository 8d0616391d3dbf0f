#include "control/install/plugin_versions.hpp"

#include "base/json.hpp"
#include "base/subprocess.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace kubecni {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::chrono::minutes kAskAgainAfter{1};

/// Calls the plugin like the CNI library does.
Result<std::vector<std::string>> execute(const std::filesystem::path& program,
                                         std::chrono::milliseconds deadline) {
  auto end = run_subprocess({.program = program,
                             .env = {"CNI_COMMAND=VERSION", "CNI_CONTAINERID=dummy",
                                     "CNI_IFNAME=dummy", "CNI_NETNS=dummy", "CNI_PATH=dummy"},
                             .input = R"({"cniVersion": "1.0.0"})",
                             .deadline = deadline});
  if (!end) return fail(end, "VERSION");
  if (end->status != 0)
    return failure(EBADMSG, program.string() + " failed to answer VERSION, with status " +
                                std::to_string(end->status) + " and said: " + shown(end->out));
  auto versions = parse_versions(end->out);
  if (!versions) return fail(versions, program.string());
  return versions;
}

/// access(2) says the same of both.
std::string why_not_executable(const std::filesystem::path& program) {
  struct statvfs mounted{};
  if (::statvfs(program.c_str(), &mounted) == 0 && (mounted.f_flag & ST_NOEXEC) != 0)
    return "its folder is mounted noexec; mount it with exec, or set --cni-bin-dir and the "
           "runtime's folder of plugins to another one";
  return "its mode has no x";
}

}  // namespace

Result<std::vector<std::string>> parse_versions(std::string_view answer) {
  const auto parsed = parse_json(answer);
  const json list = parsed ? member(*parsed, "supportedVersions") : json();
  std::vector<std::string> versions;
  for (const json& version : list.is_array() ? list : json::array())
    if (version.is_string()) versions.push_back(version);
  if (versions.empty())
    return failure(EBADMSG, "its answer to VERSION has no list \"supportedVersions\": " +
                                shown(std::string(answer)));
  return versions;
}

PluginVersions::Answer PluginVersions::answer_of(const std::filesystem::path& program,
                                                 Clock::time_point now) {
  const auto identity = identify(program);
  if (!identity && identity.error().code == ENOENT)
    return failure(ENOENT, program.string() + " is not there");
  if (!identity) return std::unexpected(identity.error());
  if (::access(program.c_str(), X_OK) != 0)
    return failure(ENOENT,
                   program.string() + " may not be executed: " + why_not_executable(program));
  Known& known = known_[program];
  if (known.next_answer.valid() && known.next_answer.wait_for(0s) == std::future_status::ready)
    known.answer = known.next_answer.get();
  if (!known.next_answer.valid()) {
    const bool is_same = known.answer && known.program == *identity;
    if (is_same && (*known.answer || now < known.asked + kAskAgainAfter)) return *known.answer;
    if (!is_same) known.answer.reset();
    known.program = *identity;
    known.asked = now;
    if (auto begun = begin_to_ask(program, known); !begun) return fail(begun);
  }
  if (known.answer && known.program == *identity) return *known.answer;
  return failure(EINPROGRESS, program.string() + " is being asked for its versions");
}

/// The thread notifies only after the answer can be taken: else the answer would be missed.
Result<> PluginVersions::begin_to_ask(const std::filesystem::path& program, Known& known) {
  std::packaged_task<Answer()> task(
      [program, deadline = deadline_] { return execute(program, deadline); });
  known.next_answer = task.get_future();
  try {
    known.asking = std::jthread([task = std::move(task), answered = answered_]() mutable {
      task();
      answered();
    });
  } catch (const std::system_error& error) {
    known.next_answer = {};
    return sys_error(error.code().value(), "start a thread to ask " + program.string());
  }
  return {};
}

Result<std::vector<std::string>> PluginVersions::ask(const std::filesystem::path& bin_dir,
                                                     const std::string& type,
                                                     Clock::time_point now) {
  const auto program = bin_dir / type;
  auto answer = answer_of(program, now);
  if (answer) {
    good_.insert_or_assign(program, Good{*answer, now});
    return answer;
  }
  const auto good = good_.find(program);
  if (good != good_.end() && now < good->second.seen + kAskAgainAfter) return good->second.versions;
  return answer;
}

}  // namespace kubecni
