#include "state/policy_mark.hpp"

#include "base/file.hpp"
#include "state/files.hpp"

#include <system_error>

namespace kubecni {

bool has_policies(const std::filesystem::path& state_dir) {
  std::error_code error;
  const auto status = std::filesystem::status(state_dir / kPoliciesFile, error);
  return status.type() != std::filesystem::file_type::not_found;
}

Result<> mark_policies(const std::filesystem::path& state_dir, bool has_policies) {
  const auto path = state_dir / kPoliciesFile;
  if (!has_policies) return delete_file(path);
  return write_file_atomically(
      path, "The cluster has network policies, so pods are closed until theirs are known.\n");
}

}  // namespace kubecni
