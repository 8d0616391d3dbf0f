#include "plugin.hpp"

#include "base/log.hpp"
#include "cni_result.hpp"
#include "net_conf.hpp"
#include "state/call_stats.hpp"
#include "verbs.hpp"

namespace kubecni {

using nlohmann::json;

namespace {

CniResult<> require_version(const NetConf& conf, const std::string& verb, const char* since) {
  if (is_at_least(conf.cni_version, since)) return {};
  return cni_error(
      CniCode::kIncompatibleVersion,
      verb + " came with cniVersion " + since + "; the configuration is of " + conf.cni_version);
}

/// Input of a runtime may not be valid UTF-8, and an answer may quote it.
std::string to_text(const json& answer) {
  return answer.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// The verb's answer; null for verbs without one.
CniResult<json> run_verb(const GetEnv& get, const std::string& input) {
  const auto quiet = [](const CniResult<>& done) -> CniResult<json> {
    if (!done) return std::unexpected(done.error());
    return json();
  };
  auto env = read_cni_env(get);
  if (!env) return std::unexpected(env.error());
  if (env->command == "VERSION") return version_result(input);
  auto conf = parse_net_conf(input);
  if (!conf) return std::unexpected(conf.error());
  if (auto started = log::start("kube-cni", conf->log_level); !started)
    return cni_error(started.error(), "\"logLevel\"", CniCode::kInvalidConfig);

  if (env->command == "ADD") return cmd_add(*env, *conf);
  if (env->command == "DEL") return quiet(cmd_del(*env, *conf));
  const bool check = env->command == "CHECK";
  if (auto known = require_version(*conf, env->command, check ? "0.4.0" : "1.1.0"); !known)
    return quiet(known);
  if (check) return quiet(cmd_check(*env, *conf));
  return quiet(env->command == "GC" ? cmd_gc(*env, *conf) : cmd_status(*env, *conf));
}

PluginAnswer to_answer(const CniError& error, const std::string& input) {
  return {to_text(error.to_json(cni_version_for_errors(input))), 1,
          static_cast<unsigned>(error.code)};
}

}  // namespace

PluginAnswer run_plugin(const GetEnv& get, const std::string& input) {
  const auto answer = run_verb(get, input);
  if (!answer) return to_answer(answer.error(), input);
  return {answer->is_null() ? "" : to_text(*answer), 0};
}

PluginAnswer refuse_input(const Error& error) {
  return to_answer({CniCode::kIo, "standard input: " + error.what, ""}, "");
}

void undo_unheard(const GetEnv& get, const std::string& input, const PluginAnswer& answer) {
  const auto env = read_cni_env(get);
  if (answer.exit_status != 0 || !env || env->command != "ADD") return;
  run_plugin(
      [&](const char* name) { return name == std::string("CNI_COMMAND") ? "DEL" : get(name); },
      input);
}

void count_answer(const GetEnv& get, const std::string& input, unsigned error_code,
                  std::chrono::nanoseconds duration) {
  const char* verb = get("CNI_COMMAND");
  const auto counted =
      count_call(run_dir_for_counts(input), verb ? verb : "", error_code, duration);
  if (!counted) log::debug("call not counted", {{"err", counted.error().what}});
}

}  // namespace kubecni
