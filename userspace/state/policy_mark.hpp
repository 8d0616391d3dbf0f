#pragma once

#include "base/result.hpp"

#include <filesystem>

namespace kubecni {

/// The nftables table, of the family inet, in which kube-cnid enforces policies.
inline constexpr const char* kPolicyTableName = "kube-cni-policy";

/// Whether the cluster had network policies when kube-cnid last knew: <state dir>/policies exists.
/// Then a pod is closed until its policies are known. True as well if it cannot be found out.
bool has_policies(const std::filesystem::path& state_dir);

/// Errors: those of write_file_atomically() and delete_file().
Result<> mark_policies(const std::filesystem::path& state_dir, bool has_policies);

}  // namespace kubecni
