#include "control/nodes/strict_devices.hpp"

#include "base/file.hpp"
#include "net/sysctl.hpp"

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

std::string setting_of(const std::string& device, const char* name) {
  return "net/ipv4/conf/" + device + "/" + name;
}

std::string rp_filter_of(const std::string& device) {
  return read_file("/proc/sys/" + setting_of(device, "rp_filter")).value_or("0").substr(0, 1);
}

}  // namespace

std::set<std::string> find_strict_devices(const Ways& ways) {
  std::set<std::string> devices;
  for (const auto& [address, way] : ways) devices.insert(way.device.name);
  const std::string of_all = rp_filter_of("all");
  std::erase_if(devices, [&](const std::string& name) {
    return std::max(of_all, rp_filter_of(name)) != "1";
  });
  return devices;
}

void let_marks_decide(const std::set<std::string>& devices, Outcome& outcome) {
  for (const std::string& device : devices) {
    const std::string setting = setting_of(device, "src_valid_mark");
    auto written = ensure_sysctl(setting, "1");
    if (!written && written.error().code == ENOENT) continue;  // the device is gone
    if (written && !*written) continue;
    outcome.apply(written ? Result<>() : fail(written),
                  "set " + setting + "=1, so that rp_filter accepts both ways of other nodes");
  }
}

}  // namespace kubecni
