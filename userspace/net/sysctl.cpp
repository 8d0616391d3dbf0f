#include "net/sysctl.hpp"

#include "base/file.hpp"

namespace kubecni {

Result<bool> ensure_sysctl(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/" + name;
  auto current = read_file(path);
  if (!current) return fail(current);
  if (*current == value + "\n") return false;
  if (auto written = write_setting(path, value); !written) return fail(written);
  return true;
}

}  // namespace kubecni
