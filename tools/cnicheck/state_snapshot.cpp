#include "base/file.hpp"
#include "snapshot.hpp"

namespace kubecni::cnicheck {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMaxFileBytes = 1 << 20;
}

StateSnapshot StateSnapshot::take(const std::vector<fs::path>& folders) {
  StateSnapshot taken;
  for (const auto& folder : folders) {
    std::error_code ignored;  // files that vanish meanwhile count as absent
    for (auto at = fs::recursive_directory_iterator(folder, ignored);
         at != fs::recursive_directory_iterator(); at.increment(ignored)) {
      if (!at->is_regular_file(ignored) && !at->is_symlink(ignored)) continue;
      auto content = read_file(at->path(), kMaxFileBytes);
      taken.files_[at->path().string()] = content ? std::move(*content) : "";
    }
  }
  return taken;
}

std::vector<std::string> StateSnapshot::added_in(const StateSnapshot& other) const {
  std::vector<std::string> found;
  for (const auto& [path, content] : other.files_)
    if (!files_.contains(path)) found.push_back(path);
  return found;
}

std::vector<std::string> StateSnapshot::differences(const StateSnapshot& other) const {
  std::vector<std::string> found;
  for (const auto& path : added_in(other)) found.push_back("+ file " + path);
  for (const auto& [path, content] : files_)
    if (!other.files_.contains(path)) found.push_back("- file " + path);
  return found;
}

std::map<std::string, std::string> StateSnapshot::mentioning(const std::string& text) const {
  std::map<std::string, std::string> found;
  for (const auto& [path, content] : files_)
    if (path.contains(text) || content.contains(text)) found.emplace(path, content);
  return found;
}

}  // namespace kubecni::cnicheck
