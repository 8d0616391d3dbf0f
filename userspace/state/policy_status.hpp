#pragma once

#include "base/result.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// What isolates a pod in one direction. Empty: nothing.
struct PolicyIsolation {
  std::string chain;                  ///< of the table, without the suffix of a family
  std::vector<std::string> policies;  ///< "NAMESPACE/POLICY"

  bool operator==(const PolicyIsolation&) const = default;
};

/// A pod of this node.
struct PolicyPodStatus {
  std::string pod;  ///< "NAMESPACE/NAME"; empty: no pod of Kubernetes
  std::vector<std::string> addresses;
  bool is_known = false;  ///< false: closed until its Pod object is known
  PolicyIsolation ingress;
  PolicyIsolation egress;

  bool operator==(const PolicyPodStatus&) const = default;
};

/// A policy that closes its pods, since it cannot be understood, or the kernel refuses its rules.
struct BrokenPolicyStatus {
  std::string policy;
  std::string reason;

  bool operator==(const BrokenPolicyStatus&) const = default;
};

/// Where the daemon reads the objects of policies, so that others can read them, too.
struct PolicyOrigin {
  std::string policy_file;  ///< empty: from the API server, in the way that the others say
  std::string kubeconfig;
  std::vector<std::string> api_servers;
  std::string ca_file;
  std::string token_file;
  bool is_insecure = false;

  bool operator==(const PolicyOrigin&) const = default;
};

/// What the daemon knows of the network policies: <run dir>/policies.json.
struct PolicyStatus {
  /// "off": by `networkPolicy`; "none": the cluster has no policies; "enforced"; "not known": what
  /// was enforced stays.
  std::string mode = "not known";
  PolicyOrigin origin;
  unsigned policies = 0;         ///< of the whole cluster
  unsigned revision = 0;         ///< of the objects; counts their changes since the daemon began
  unsigned forced_revision = 0;  ///< the last one that is in force
  double seconds_to_force = 0;   ///< from when it was heard of until it was in force
  /// The policies of this node's pods need the pods of other nodes, which are not known yet. So
  /// rules that need them match none, and new pods are closed.
  bool awaits_peers = false;
  std::string error;  ///< why the objects cannot be read, or are not in force
  std::vector<BrokenPolicyStatus> broken;
  std::vector<PolicyPodStatus> pods;

  bool operator==(const PolicyStatus&) const = default;
};

nlohmann::json to_json(const PolicyStatus& status);

/// Missing members have their defaults. Errors: EBADMSG the text is no JSON, or a member has a
/// wrong type.
Result<PolicyStatus> parse_policy_status(std::string_view text);

/// Writes the file, unless it already has this content. Errors: those of write_file_atomically().
Result<> write_policy_status(const std::filesystem::path& run_dir, const PolicyStatus& status);

/// Empty if the daemon has not reported yet. Errors: those of read_file() and
/// parse_policy_status().
Result<std::optional<PolicyStatus>> read_policy_status(const std::filesystem::path& run_dir);

}  // namespace kubecni
