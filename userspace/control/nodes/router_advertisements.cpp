#include "control/nodes/router_advertisements.hpp"

#include "base/file.hpp"
#include "net/sysctl.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>
#include <string>

namespace kubecni {

namespace {

bool leads_to_routers(const Uplink& uplink, const Underlay& underlay) {
  const bool is_nodes_own =
      !uplink.net.addr.is_v4() &&
      std::ranges::find(underlay.own_addresses, uplink.net.addr) != underlay.own_addresses.end();
  return is_nodes_own || std::ranges::any_of(underlay.routes, [&](const Route& route) {
           return route.ifindex == uplink.device.ifindex && route.protocol == RTPROT_RA &&
                  route.dst.prefix == 0;
         });
}

}  // namespace

void keep_accepting_advertisements(const Underlay& underlay, Outcome& outcome) {
  std::set<std::string> names;
  for (const Uplink& uplink : underlay.uplinks)
    if (leads_to_routers(uplink, underlay)) names.insert(uplink.device.name);
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
