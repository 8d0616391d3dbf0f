#include "state/policy_mark.hpp"

#include "base/boot_id.hpp"
#include "base/file.hpp"
#include "state/files.hpp"

#include <cerrno>
#include <system_error>

namespace kubecni {

namespace {

/// A name a line follows. While the node was down, other namespaces may have got policies, so a
/// mark counts in its own boot.
std::string header_of(const std::string& boot) {
  return "# The namespaces that have network policies, as known in boot " + boot + ":\n";
}

constexpr std::size_t kMaxMarkBytes = std::size_t{16} << 20;  // 64 bytes for each of 250 000

bool is_of_this_boot(const std::string& mark) {
  const std::string boot = current_boot_id();
  return !boot.empty() && mark.starts_with(header_of(boot));
}

}  // namespace

bool has_policies(const std::filesystem::path& state_dir) {
  std::error_code error;
  const auto status = std::filesystem::status(state_dir / kPoliciesFile, error);
  return status.type() != std::filesystem::file_type::not_found;
}

bool may_be_selected(const std::filesystem::path& state_dir, const std::string& pod) {
  if (pod.empty()) return false;
  const auto text = read_file(state_dir / kPoliciesFile, kMaxMarkBytes);
  if (!text) return text.error().code != ENOENT;
  const std::string line = "\n" + pod.substr(0, pod.find('/')) + "\n";
  return !is_of_this_boot(*text) || text->find(line) != text->npos;
}

Result<> mark_policies(const std::filesystem::path& state_dir,
                       const std::set<std::string>& spaces) {
  const auto path = state_dir / kPoliciesFile;
  if (spaces.empty()) return delete_file(path);
  std::string text = header_of(current_boot_id());
  for (const std::string& space : spaces) text += space + "\n";
  return update_file(path, text);
}

}  // namespace kubecni
