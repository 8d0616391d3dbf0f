#include "control/pods/pod_proxies.hpp"

#include "net/route.hpp"
#include "net/sysctl.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <utility>

namespace kubecni {

namespace {

/// The kernel answers at once, and for IPv6 at all.
Result<> let_answer(const std::string& bridge) {
  for (const auto& [setting, value] : {std::pair{"net/ipv4/neigh/" + bridge + "/proxy_delay", "0"},
                                       {"net/ipv6/neigh/" + bridge + "/proxy_delay", "0"},
                                       {"net/ipv6/conf/" + bridge + "/proxy_ndp", "1"}}) {
    auto set = ensure_sysctl(setting, value);
    if (!set && set.error().code != ENOENT) return fail(set);  // a node without IPv6
  }
  return {};
}

/// A bridge, by its ifindex, and the name of a network that has pods there.
using Site = std::pair<unsigned, std::string>;

/// The subnets of these pods. Another network may have the same addresses.
std::map<Site, std::set<IpNet>> subnets_on_bridges(const std::vector<Attachment>& attachments,
                                                   const std::vector<Link>& links) {
  std::map<Site, std::set<IpNet>> subnets;
  for (const Attachment& attachment : attachments) {
    const PodPort& port = attachment.port;
    const auto bridge = std::ranges::find(links, port.bridge, &Link::name);
    if (port.is_routed() || bridge == links.end()) continue;
    for (const IpNet& gateway : port.gateway_addresses())
      subnets[{bridge->ifindex, attachment.network}].insert(gateway.network());
  }
  return subnets;
}

}  // namespace

std::set<NeighbourProxy> plan_pod_proxies(const std::vector<Attachment>& attachments,
                                          const std::vector<Link>& links) {
  const auto subnets = subnets_on_bridges(attachments, links);
  std::set<NeighbourProxy> wanted;
  for (const Attachment& attachment : attachments) {
    const PodPort& port = attachment.port;
    if (!port.is_routed() || std::ranges::find(links, port.host_ifname, &Link::name) == links.end())
      continue;
    for (const IpAddr& address : port.plain_addresses())
      for (const auto& [site, nets] : subnets)
        if (site.second == attachment.network &&
            std::ranges::any_of(nets, [&](const IpNet& net) { return net.contains(address); }))
          wanted.insert({site.first, address, kRouteProtocol});
  }
  return wanted;
}

void sync_pod_proxies(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                      const std::vector<Link>& links, Outcome& outcome) {
  const auto wanted = plan_pod_proxies(attachments, links);
  auto listed = list_proxies(netlink);
  if (!listed) return outcome.fail(listed.error().what);
  std::erase_if(*listed,
                [](const NeighbourProxy& proxy) { return proxy.protocol != kRouteProtocol; });
  const std::set<NeighbourProxy> actual(listed->begin(), listed->end());
  for (const NeighbourProxy& proxy : actual)
    if (!wanted.contains(proxy))
      outcome.apply(delete_proxy(netlink, proxy),
                    "the bridge does not answer for " + proxy.addr.str() + " any more");
  for (const NeighbourProxy& proxy : wanted) {
    const auto bridge = std::ranges::find(links, proxy.ifindex, &Link::ifindex);
    if (auto set = let_answer(bridge->name); !set) outcome.fail(set.error().what);
    if (!actual.contains(proxy))
      outcome.apply(ensure_proxy(netlink, proxy), "bridge " + bridge->name + " answers for " +
                                                      proxy.addr.str() + ", a pod in mode ptp");
  }
}

}  // namespace kubecni
