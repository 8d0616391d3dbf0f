#pragma once

#include <functional>
#include <string>

namespace kubecni::test {

/// Runs `body` in a sandbox (sandbox/sandbox.hpp) in which also /etc, /opt and
/// /var/lib are private, without any CNI plugin or configuration, and returns its
/// exit status. So a test that fails or is killed leaves nothing behind, and
/// tests run side by side with the same names.
///
/// Cgroups are the exception, see sandbox_cgroup(). Needs root. Call it
/// before any thread exists.
int run_in_sandbox(const std::function<int()>& body);

/// The name of the cgroup ("kube-cni-test-<pid>") below which programs that need
/// cgroups have to make them. It is removed afterwards in every hierarchy, after
/// a kill by the next run.
std::string sandbox_cgroup();

}  // namespace kubecni::test
