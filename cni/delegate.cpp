#include "delegate.hpp"

#include "base/json.hpp"
#include "base/subprocess.hpp"
#include "result_shape.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <ranges>
#include <sstream>

namespace kubecni {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

// A dhcp server may be slow, and a runtime waits minutes for ADD; but it polls STATUS.
constexpr milliseconds kDeadline = std::chrono::minutes(2);
constexpr milliseconds kStatusDeadline{500};

// Tells a kube-cni that an IPAM plugin executes, however it is called and by however many others,
// that another one waits for it.
constexpr const char* kCallerVariable = "KUBE_CNI_WAITS_FOR_IPAM";

/// Whether `program` is the one that runs: also as a link.
bool is_own_program(const std::filesystem::path& program) {
  std::error_code ignored;
  return std::filesystem::equivalent(program, "/proc/self/exe", ignored);
}

bool is_cni_variable(std::string_view entry) {
  constexpr std::array kReplaced{"CNI_COMMAND=", "CNI_CONTAINERID=", "CNI_IFNAME=", "CNI_NETNS="};
  return std::ranges::any_of(kReplaced, [&](const char* name) { return entry.starts_with(name); });
}

/// The configuration as the plugin may read it: prevResult must have that version, too, or is left
/// out.
std::string input_in_version(const json& conf, const std::string& version) {
  json changed = conf;
  changed["cniVersion"] = version;
  if (const json& previous = member(conf, "prevResult"); !previous.is_null()) {
    auto upgraded = upgrade_result(previous);
    if (upgraded) upgraded = result_for_version(std::move(*upgraded), version);
    changed["prevResult"] = upgraded ? std::move(*upgraded) : json();
  }
  return changed.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The plugin's own error, if it follows the specification.
std::unexpected<CniError> error_of(const std::string& plugin, const SubprocessEnd& end) {
  const auto answer = parse_json(end.out);
  const auto code = answer ? unsigned_of(member(*answer, "code")) : std::nullopt;
  if (!code)
    return cni_error(CniCode::kSystem, plugin + " failed with status " +
                                           std::to_string(end.status) +
                                           " and said: " + end.out.substr(0, 200));
  return cni_error(static_cast<CniCode>(*code), plugin + ": " + text_of(member(*answer, "msg")),
                   text_of(member(*answer, "details")));
}

CniResult<> without_output(const CniResult<std::string>& output) {
  if (!output) return std::unexpected(output.error());
  return {};
}

}  // namespace

CniResult<Delegate> Delegate::find(const CniEnv& env, const NetConf& conf) {
  const std::string where = "\"ipam\": plugin \"" + conf.ipam.type + "\"";
  constexpr const char* kAdvice = "leave \"type\" out to let kube-cni allocate";
  if (std::getenv(kCallerVariable))
    return cni_error(CniCode::kInvalidConfig,
                     where + " leads back to kube-cni, which would call itself without end",
                     kAdvice);
  if (env.path.empty())
    return cni_error(CniCode::kInvalidEnvironment,
                     where + " cannot be searched for: required env variables [CNI_PATH] missing");
  std::istringstream folders(env.path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto program = std::filesystem::path(folder) / conf.ipam.type;
    std::error_code ignored;
    if (!folder.empty() && std::filesystem::is_regular_file(program, ignored) &&
        ::access(program.c_str(), X_OK) == 0) {
      if (is_own_program(program))
        return cni_error(CniCode::kInvalidConfig,
                         where + " is kube-cni itself, which would call itself without end",
                         kAdvice);
      return Delegate(program, env, conf);
    }
  }
  return cni_error(CniCode::kInvalidConfig,
                   where + " is in none of the folders of CNI_PATH " + env.path.substr(0, 300),
                   "install it there, or leave \"type\" out to let kube-cni allocate");
}

Delegate::Call Delegate::call(std::string verb) const {
  return {std::move(verb), env_.container_id, env_.ifname, env_.netns};
}

CniResult<std::string> Delegate::execute_in_version(const Call& call,
                                                    const std::string& version) const {
  Subprocess subprocess{
      .program = program_,
      .env = {"CNI_COMMAND=" + call.verb, "CNI_CONTAINERID=" + call.container_id,
              "CNI_IFNAME=" + call.ifname, "CNI_NETNS=" + call.netns,
              std::string(kCallerVariable) + "=1"},
      .input = version == conf_.cni_version ? conf_.text : input_in_version(conf_.raw, version),
      .deadline = call.verb == "STATUS" || call.verb == "VERSION" ? kStatusDeadline : kDeadline};
  for (char** entry = environ; *entry; ++entry)
    if (!is_cni_variable(*entry)) subprocess.env.emplace_back(*entry);
  auto end = run_subprocess(subprocess);
  if (!end) return cni_error(end.error(), call.verb + " of ipam");
  if (end->status != 0) return error_of(conf_.ipam.type, *end);
  return std::move(end->out);
}

CniResult<std::string> Delegate::common_version() const {
  auto answer = execute_in_version(call("VERSION"), conf_.cni_version);
  if (!answer) return answer;
  const auto parsed = parse_json(*answer);
  const json known = parsed ? member(*parsed, "supportedVersions") : json();
  for (const auto version : kSupportedVersions | std::views::reverse) {
    if (is_at_least(conf_.cni_version, version) && known.is_array() &&
        std::ranges::find(known, json(version)) != known.end())
      return std::string(version);
  }
  return cni_error(CniCode::kIncompatibleVersion,
                   conf_.ipam.type + " supports no cniVersion that kube-cni supports, up to " +
                       conf_.cni_version);
}

CniResult<std::string> Delegate::execute(const Call& call) const {
  auto output = execute_in_version(call, conf_.cni_version);
  if (output || output.error().code != CniCode::kIncompatibleVersion) return output;
  auto version = common_version();
  if (!version || *version == conf_.cni_version) return output;
  return execute_in_version(call, *version);
}

CniResult<> Delegate::execute_if_known(const Call& call) const {
  auto output = execute_in_version(call, conf_.cni_version);
  if (output) return {};
  const bool may_be_older = output.error().code == CniCode::kIncompatibleVersion ||
                            output.error().code == CniCode::kInvalidEnvironment;
  auto version = may_be_older ? common_version() : conf_.cni_version;
  if (version && !is_at_least(*version, "1.1.0")) return {};
  return without_output(output);
}

CniResult<json> Delegate::add() const {
  auto output = execute(call("ADD"));
  if (!output) return std::unexpected(output.error());
  const auto parsed = parse_json(*output);
  auto result = parsed ? upgrade_result(*parsed) : Result<json>(std::unexpected(parsed.error()));
  if (!result) return cni_error(result.error(), "result of ipam " + conf_.ipam.type);
  return std::move(*result);
}

CniResult<> Delegate::del() const { return without_output(execute(call("DEL"))); }

CniResult<> Delegate::del(const LeaseOwner& owner) const {
  return without_output(execute({"DEL", owner.container_id, owner.ifname, ""}));
}

CniResult<> Delegate::check() const { return without_output(execute(call("CHECK"))); }
CniResult<> Delegate::status() const { return execute_if_known(call("STATUS")); }
CniResult<> Delegate::gc() const { return execute_if_known(call("GC")); }

}  // namespace kubecni
