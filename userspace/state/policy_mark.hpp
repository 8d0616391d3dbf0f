#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <set>
#include <string>

namespace kubecni {

/// The nftables table, of the family inet, in which kube-cnid enforces policies.
inline constexpr const char* kPolicyTableName = "kube-cni-policy";

/// Whether the cluster had network policies when kube-cnid last knew: <state dir>/policies exists.
/// Then a pod is closed until its policies are known. True as well if it cannot be found out.
bool has_policies(const std::filesystem::path& state_dir);

/// Whether a policy may select the pod "NAMESPACE/NAME", as far as kube-cnid last knew: its
/// namespace has policies. False for a container that is no pod, whose name is empty. True if it
/// cannot be found out, as after a boot with policies in the cluster, until kube-cnid knows them.
bool may_be_selected(const std::filesystem::path& state_dir, const std::string& pod);

/// Notes which namespaces have policies; none: the cluster has no policies.
/// Errors: those of write_file_atomically() and delete_file().
Result<> mark_policies(const std::filesystem::path& state_dir, const std::set<std::string>& spaces);

}  // namespace kubecni
