#include "dataplane/bpf_fs.hpp"

#include "base/file.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>
#include <string>

namespace kubecni {

namespace {

constexpr const char* kUsualMount = "/sys/fs/bpf";

std::filesystem::path nearest_existing(std::filesystem::path path) {
  std::error_code ignored;
  while (path.has_relative_path() && !std::filesystem::exists(path, ignored))
    path = path.parent_path();
  return path;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto relative = path.lexically_normal().lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

/// The mount namespace of this process. If a container or a service has its own, the rest of the
/// node does not see what it mounts. Then the plugin and the daemon would have separate maps.
enum class Mounts { kOfTheHost, kOwn, kUnknown };

/// The mount ids that a process sees (proc(5), mountinfo). They are unique on the machine.
std::set<std::string> mounts_of(const std::string& process) {
  std::set<std::string> numbers;
  std::istringstream lines(read_file("/proc/" + process + "/mountinfo").value_or(""));
  for (std::string line; std::getline(lines, line);) numbers.insert(line.substr(0, line.find(' ')));
  return numbers;
}

/// Not /proc/1/ns/mnt, which only processes with all rights of process 1 may read.
Mounts whose_mounts() {
  const auto host = mounts_of("1");
  if (host.empty()) return Mounts::kUnknown;
  const auto own = mounts_of("self");
  return std::ranges::any_of(own, [&](const auto& number) { return host.contains(number); })
             ? Mounts::kOfTheHost
             : Mounts::kOwn;
}

/// Errors: EPERM this process has its own mounts; those of mount(2).
Result<> mount_bpffs(const std::filesystem::path& wanted) {
  const std::string without = wanted.string() + " is not on a bpf file system";
  constexpr const char* kRemedy = ": mount -t bpf bpf /sys/fs/bpf on the host";
  if (whose_mounts() == Mounts::kOwn)
    return failure(EPERM, without +
                              ", and the host would not see one that is mounted here, since this "
                              "process has another mount namespace than process 1" +
                              kRemedy);
  if (::mount("bpf", kUsualMount, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
    return {};
  return sys_error(errno, without + ", and mounting one on " + kUsualMount + " failed" + kRemedy);
}

}  // namespace

bool is_on_bpffs(const std::filesystem::path& path) {
  struct statfs fs{};
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

Result<> ensure_bpffs(const std::filesystem::path& path) {
  if (!is_on_bpffs(nearest_existing(path))) {
    if (!is_below(path, kUsualMount))
      return failure(EMEDIUMTYPE, path.string() +
                                      " is not on a bpf file system; mount one there (mount -t bpf "
                                      "bpf FOLDER) or set \"bpffs\" to a folder below /sys/fs/bpf");
    if (auto mounted = mount_bpffs(path); !mounted) return mounted;
  }
  return ensure_directory(path);
}

}  // namespace kubecni
