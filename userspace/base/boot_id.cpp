#include "base/boot_id.hpp"

#include "base/file.hpp"

namespace kubecni {

std::string current_boot_id() {
  auto id = read_file("/proc/sys/kernel/random/boot_id");
  return id && !id->empty() ? id->substr(0, id->size() - 1) : "";
}

}  // namespace kubecni
