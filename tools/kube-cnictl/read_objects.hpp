#pragma once

#include "base/result.hpp"
#include "k8s/policy_objects.hpp"
#include "state/policy_status.hpp"

namespace kubecni {

/// Reads the objects of policies once, as kube-cnid does: from the file, else from the API server.
///
/// Waits at most 10 s for the server.
/// Errors: those of read_file(), parse_policy_objects() and resolve_api_config(); ETIMEDOUT the
/// server does not answer; EREMOTEIO it refuses.
Result<PolicyObjects> read_policy_objects(const PolicyOrigin& origin);

}  // namespace kubecni
