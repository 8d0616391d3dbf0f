#include "dataplane/bpf_fs.hpp"

#include "base/file.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

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

/// What a container or a service with mounts of its own would mount, nobody else sees, and
/// plugin and daemon would have maps of their own each. Those have no right to look, or
/// see that process 1 has others.
bool shares_mounts_with_host() {
  struct stat own{};
  struct stat host{};
  return ::stat("/proc/self/ns/mnt", &own) == 0 && ::stat("/proc/1/ns/mnt", &host) == 0 &&
         own.st_dev == host.st_dev && own.st_ino == host.st_ino;
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
    if (!shares_mounts_with_host())
      return failure(
          EPERM, path.string() +
                     " is not on a bpf file system, and a container or a service cannot mount "
                     "one for the node: mount -t bpf bpf /sys/fs/bpf on the host; the first pod "
                     "that is added does it, too");
    if (::mount("bpf", kUsualMount, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
      return sys_error(errno, std::string("mount the bpf file system on ") + kUsualMount);
  }
  return ensure_directory(path);
}

}  // namespace kubecni
