#include "plugin.hpp"

#include "base/log.hpp"
#include "cni_result.hpp"
#include "net_conf.hpp"
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

/// What a runtime gave us may be no UTF-8, and an answer may quote it.
std::string to_text(const json& answer) {
  return answer.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// The verb's answer; null for the verbs that answer nothing.
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

}  // namespace

PluginAnswer run_plugin(const GetEnv& get, const std::string& input) {
  const auto answer = run_verb(get, input);
  if (!answer) return {to_text(answer.error().to_json(cni_version_for_errors(input))), 1};
  return {answer->is_null() ? "" : to_text(*answer), 0};
}

}  // namespace kubecni
