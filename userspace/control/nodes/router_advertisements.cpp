#include "control/nodes/router_advertisements.hpp"

#include "base/file.hpp"
#include "net/sysctl.hpp"

#include <set>
#include <string>

namespace kubecni {

void keep_accepting_advertisements(const std::vector<Uplink>& uplinks, Outcome& outcome) {
  std::set<std::string> names;
  for (const Uplink& uplink : uplinks) names.insert(uplink.device.name);
  for (const std::string& name : names) {
    const std::string setting = "net/ipv6/conf/" + name + "/accept_ra";
    // Without IPv6 there is no such setting.
    if (const auto value = read_file("/proc/sys/" + setting); !value || *value != "1\n") continue;
    auto written = ensure_sysctl(setting, "2");
    outcome.apply(written ? Result<>() : fail(written),
                  "set " + setting + "=2, so that routes from routers stay");
  }
}

}  // namespace kubecni
