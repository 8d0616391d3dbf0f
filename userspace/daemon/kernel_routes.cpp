#include "daemon/kernel_routes.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

namespace {

std::string route_text(const Route& route) {
  std::string text = "route " + route.dst.str();
  if (route.encap) return text + " through the tunnel to " + route.encap->remote.str();
  return text + " via " + (route.gateway ? route.gateway->str() : "its link");
}

unsigned default_metric(const IpNet& dst) { return dst.addr.is_v4() ? 0 : kDefaultMetric6; }

void sync_routes(NetlinkSocket& netlink, const std::vector<Route>& current,
                 ReconcileReport& report) {
  std::map<RouteKey, Route> ours;
  std::set<RouteKey> taken;  // by a route of somebody else, at the metric of ours
  for (const Route& route : current) {
    const RouteKey key{route.table, route.dst};
    if (route.protocol == kRouteProtocol)
      ours.emplace(key, route);
    else if (route.metric == default_metric(route.dst))
      taken.insert(key);
  }
  const auto changes = plan_changes(report.desired.routes, ours, std::equal_to<>());
  for (const auto& [key, route] : changes.set) {
    if (taken.contains(key) && !ours.contains(key))
      report.errors.push_back("route to " + route.dst.str() +
                              " exists already and is not ours; remove it, or that node's pods "
                              "are reached by it");
    else
      report.apply(ensure_route(netlink, route), route_text(route));
  }
  for (const auto& [key, route] : changes.erase)
    report.apply(delete_route(netlink, route), "route " + route.dst.str() + " removed");
}

void sync_rules(NetlinkSocket& netlink, ReconcileReport& report) {
  auto rules = list_rules(netlink, kRouteProtocol);
  if (!rules) return report.errors.push_back(rules.error().what);
  std::map<int, Rule> ours;
  for (const Rule& rule : *rules) {
    // One a family, as it should be, is kept.
    const auto wanted = report.desired.rules.find(rule.family);
    if (wanted != report.desired.rules.end() && wanted->second == rule)
      ours.emplace(rule.family, rule);
    else
      report.apply(delete_rule(netlink, rule), "rule for pods' packets to nodes removed");
  }
  const auto changes = plan_changes(report.desired.rules, ours, std::equal_to<>());
  for (const auto& [family, rule] : changes.set)
    report.apply(ensure_rule(netlink, rule),
                 "rule: pods' packets to nodes behind the tunnel go through it");
}

Changes<IpAddr, Neighbour> plan_neighbours(NetlinkSocket& netlink, unsigned tunnel_ifindex,
                                           ReconcileReport& report) {
  if (tunnel_ifindex == 0) return {};
  auto listed = list_permanent_neighbours(netlink, tunnel_ifindex);
  if (!listed) {
    report.errors.push_back(listed.error().what);
    return {};
  }
  std::map<IpAddr, Neighbour> actual;
  for (const Neighbour& neighbour : *listed) actual.emplace(neighbour.addr, neighbour);
  return plan_changes(report.desired.neighbours, actual, std::equal_to<>());
}

}  // namespace

void sync_kernel_routes(NetlinkSocket& netlink, const std::vector<Route>& current,
                        unsigned tunnel_ifindex, ReconcileReport& report) {
  const auto neighbours = plan_neighbours(netlink, tunnel_ifindex, report);
  // Before a route leads to it.
  for (const auto& [address, neighbour] : neighbours.set)
    report.apply(ensure_neighbour(netlink, neighbour),
                 "neighbour " + address.str() + " is " + neighbour.mac.str());
  sync_routes(netlink, current, report);
  sync_rules(netlink, report);
  for (const auto& [address, neighbour] : neighbours.erase)
    report.apply(delete_neighbour(netlink, neighbour), "neighbour " + address.str() + " removed");
}

}  // namespace kubecni
