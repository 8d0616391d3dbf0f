#include "net/sysctl.hpp"

#include "base/file.hpp"

#include <cerrno>

namespace kubecni {

namespace {

// A runtime makes /proc/sys read-only in every unprivileged container, and mounts nothing else
// below /proc; deploy/ mounts the node's settings here a second time.
constexpr const char* kInContainer = "/host/proc/sys/";

}  // namespace

Result<bool> ensure_sysctl(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/" + name;
  auto current = read_file(path);
  if (!current) return fail(current);
  if (*current == value + "\n") return false;
  auto written = write_setting(path, value);
  if (!written && written.error().code == EROFS && write_setting(kInContainer + name, value))
    return true;
  if (!written) return fail(written);
  return true;
}

}  // namespace kubecni
