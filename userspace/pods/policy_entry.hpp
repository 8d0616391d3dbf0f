#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <vector>

namespace kubecni {

// What the plugin does in the table in which kube-cnid enforces network policies. A pod is closed
// there until its addresses are known. All of these work in the node's namespace, also several at
// once.

/// Removes what the table has about the addresses, so that the next pod with one of them does not
/// inherit it. Nothing while the cluster has no policies. Waits while kube-cnid writes the table.
/// What it writes later is about pods with a record, so the record has to be removed before.
/// Errors: those of FileLock::acquire() and change_address_elements().
Result<> forget_policies(const std::filesystem::path& state_dir,
                         const std::vector<IpAddr>& addresses);

/// The same, and closes the addresses: for a pod that has neither record nor interface yet, and
/// that a policy may select. Errors: also ENOENT there is no table.
Result<> close_by_policies(const std::filesystem::path& state_dir,
                           const std::vector<IpAddr>& addresses);

/// Makes the addresses known: for a pod that no policy can select. Errors: ENOENT there is no
/// table.
Result<> open_by_policies(const std::filesystem::path& state_dir,
                          const std::vector<IpAddr>& addresses);

/// Whether kube-cnid knows the policies of the pod with these addresses. Errors: EPERM no
/// CAP_NET_ADMIN.
Result<bool> are_policies_known(const std::vector<IpAddr>& addresses);

/// Waits until kube-cnid has made all of the addresses known, and with that, in the same
/// transaction, all that policies say of them, or until the cluster has no policies any more.
/// Result: whether that was in time.
Result<bool> await_policies(const std::filesystem::path& state_dir,
                            const std::vector<IpAddr>& addresses,
                            std::chrono::milliseconds timeout);

}  // namespace kubecni
