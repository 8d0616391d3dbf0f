#include "state/policy_status.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "state/files.hpp"

#include <cerrno>

namespace kubecni {

using nlohmann::json;

// Found by nlohmann::json. The from_json() of a wrong type throws.

static void to_json(json& object, const PolicyIsolation& isolation) {
  object = {{"chain", isolation.chain}, {"policies", isolation.policies}};
}

static void from_json(const json& object, PolicyIsolation& isolation) {
  isolation.chain = object.value("chain", "");
  isolation.policies = object.value("policies", std::vector<std::string>());
}

static void to_json(json& object, const PolicyPodStatus& pod) {
  object = {{"pod", pod.pod},
            {"addresses", pod.addresses},
            {"known", pod.is_known},
            {"ingress", pod.ingress},
            {"egress", pod.egress}};
}

static void from_json(const json& object, PolicyPodStatus& pod) {
  pod.pod = object.value("pod", "");
  pod.addresses = object.value("addresses", std::vector<std::string>());
  pod.is_known = object.value("known", false);
  pod.ingress = object.value("ingress", PolicyIsolation());
  pod.egress = object.value("egress", PolicyIsolation());
}

static void to_json(json& object, const BrokenPolicyStatus& broken) {
  object = {{"policy", broken.policy}, {"reason", broken.reason}};
}

static void from_json(const json& object, BrokenPolicyStatus& broken) {
  broken.policy = object.value("policy", "");
  broken.reason = object.value("reason", "");
}

static void to_json(json& object, const PolicyOrigin& origin) {
  object = {{"policyFile", origin.policy_file}, {"kubeconfig", origin.kubeconfig},
            {"apiServers", origin.api_servers}, {"caFile", origin.ca_file},
            {"tokenFile", origin.token_file},   {"insecure", origin.is_insecure}};
}

static void from_json(const json& object, PolicyOrigin& origin) {
  origin.policy_file = object.value("policyFile", "");
  origin.kubeconfig = object.value("kubeconfig", "");
  origin.api_servers = object.value("apiServers", std::vector<std::string>());
  origin.ca_file = object.value("caFile", "");
  origin.token_file = object.value("tokenFile", "");
  origin.is_insecure = object.value("insecure", false);
}

json to_json(const PolicyStatus& status) {
  return {{"mode", status.mode},
          {"origin", status.origin},
          {"policies", status.policies},
          {"revision", status.revision},
          {"forcedRevision", status.forced_revision},
          {"secondsToForce", status.seconds_to_force},
          {"awaitsPeers", status.awaits_peers},
          {"error", status.error},
          {"broken", status.broken},
          {"pods", status.pods}};
}

Result<PolicyStatus> parse_policy_status(std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed) return failure(EBADMSG, "damaged: " + parsed.error().what);
  PolicyStatus status;
  try {
    status.mode = parsed->value("mode", status.mode);
    status.origin = parsed->value("origin", status.origin);
    status.policies = parsed->value("policies", 0U);
    status.revision = parsed->value("revision", 0U);
    status.forced_revision = parsed->value("forcedRevision", 0U);
    status.seconds_to_force = parsed->value("secondsToForce", 0.0);
    status.awaits_peers = parsed->value("awaitsPeers", false);
    status.error = parsed->value("error", "");
    status.broken = parsed->value("broken", status.broken);
    status.pods = parsed->value("pods", status.pods);
  } catch (const json::exception& wrong) {
    return failure(EBADMSG,
                   std::string("damaged: ") + wrong.what() + "; kube-cnid writes the file anew");
  }
  return status;
}

Result<> write_policy_status(const std::filesystem::path& run_dir, const PolicyStatus& status) {
  const std::string text =
      to_json(status).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return update_file(run_dir / kPolicyStatusFile, text);
}

Result<std::optional<PolicyStatus>> read_policy_status(const std::filesystem::path& run_dir) {
  const auto path = run_dir / kPolicyStatusFile;
  auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return fail(text);
  auto status = parse_policy_status(*text);
  if (!status) return fail(status, path.string());
  return std::move(*status);
}

}  // namespace kubecni
