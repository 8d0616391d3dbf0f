#include "control/nodes/kernel_routes.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

namespace {

std::string route_text(const Route& route) {
  if (route.table == kWayBackTable) return "packets from " + route.dst.str() + " may come directly";
  if (!route.unicast) return "addresses of " + route.dst.str() + " that no pod has are unreachable";
  std::string text = "route " + route.dst.str();
  if (route.encap) return text + " through the tunnel to " + route.encap->remote.str();
  return text + " via " + (route.gateway ? route.gateway->str() : "its link");
}

std::string rule_text(const Rule& rule) {
  if (rule.table == kBgpTable) return "rule: the routes that BIRD learns come first";
  if (rule.table == kWayBackTable) return "rule: rp_filter accepts both ways of other nodes";
  return "rule: pods' packets to nodes behind the tunnel go through it";
}

void plan_routes(const DesiredState& wanted, const KernelRoutes& found,
                 KernelRouteChanges& changes) {
  std::map<RouteKey, Route> ours;
  std::set<RouteKey> taken;  // by a route of somebody else, at the metric of ours
  std::set<RouteKey> of_bridge;
  for (const Route& route : found.routes) {
    const RouteKey key{route.table, route.dst};
    const auto same = wanted.routes.find(key);
    const bool is_in_its_place = same != wanted.routes.end() && same->second.metric == route.metric;
    if (route.protocol != kRouteProtocol) {
      if (is_in_its_place) taken.insert(key);
    } else if (same == wanted.routes.end() || is_in_its_place) {
      ours.emplace(key, route);
    } else {
      changes.routes.erase.emplace_back(key, route);  // it would stay beside the wanted one
    }
    if (route.protocol == RTPROT_KERNEL && route.ifindex == found.bridge_ifindex)
      of_bridge.insert(key);
  }
  auto planned = plan_changes(wanted.routes, ours, std::equal_to<>());
  changes.routes.set = std::move(planned.set);
  std::ranges::move(planned.erase, std::back_inserter(changes.routes.erase));
  std::erase_if(changes.routes.set, [&](const auto& entry) {
    const bool is_taken = taken.contains(entry.first) && !ours.contains(entry.first);
    if (is_taken && !of_bridge.contains(entry.first)) changes.taken.push_back(entry.second);
    return is_taken;
  });
}

/// One of each that should be there is kept.
void plan_rules(const DesiredState& wanted, const std::vector<Rule>& found,
                KernelRouteChanges& changes) {
  std::set<Rule> kept;
  for (const Rule& rule : found)
    if (!wanted.rules.contains(rule) || !kept.insert(rule).second)
      changes.erase_rules.push_back(rule);
  for (const Rule& rule : wanted.rules)
    if (!kept.contains(rule)) changes.set_rules.push_back(rule);
}

}  // namespace

KernelRoutes read_kernel_routes(NetlinkSocket& netlink, std::vector<Route> routes,
                                unsigned tunnel_ifindex, Outcome& outcome) {
  KernelRoutes found{.routes = std::move(routes), .rules = {}};
  if (auto rules = list_rules(netlink, kRouteProtocol))
    found.rules = std::move(*rules);
  else
    outcome.fail(rules.error().what);
  if (tunnel_ifindex == 0) return found;
  if (auto neighbours = list_permanent_neighbours(netlink, tunnel_ifindex))
    found.neighbours = std::move(*neighbours);
  else
    outcome.fail(neighbours.error().what);
  return found;
}

KernelRouteChanges plan_kernel_routes(const DesiredState& wanted, const KernelRoutes& found) {
  KernelRouteChanges changes;
  plan_routes(wanted, found, changes);
  if (found.rules) plan_rules(wanted, *found.rules, changes);
  if (!found.neighbours) return changes;
  std::map<IpAddr, Neighbour> neighbours;
  for (const Neighbour& neighbour : *found.neighbours)
    neighbours.emplace(neighbour.addr, neighbour);
  changes.neighbours = plan_changes(wanted.neighbours, neighbours, std::equal_to<>());
  return changes;
}

void apply_kernel_routes(NetlinkSocket& netlink, const KernelRouteChanges& changes,
                         Outcome& outcome) {
  // Before a route leads to it.
  for (const auto& [address, neighbour] : changes.neighbours.set)
    outcome.apply(ensure_neighbour(netlink, neighbour),
                  "neighbour " + address.str() + " is " + neighbour.mac.str());
  for (const Route& route : changes.taken)
    outcome.fail("route to " + route.dst.str() +
                 " exists already and is not ours; remove it, or packets for pods there take it");
  for (const auto& [key, route] : changes.routes.set)
    outcome.apply(ensure_route(netlink, route), route_text(route));
  for (const auto& [key, route] : changes.routes.erase)
    outcome.apply(delete_route(netlink, route), "route " + route.dst.str() + " removed");
  for (const Rule& rule : changes.erase_rules)
    outcome.apply(delete_rule(netlink, rule), rule_text(rule) + " removed");
  for (const Rule& rule : changes.set_rules)
    outcome.apply(ensure_rule(netlink, rule), rule_text(rule));
  for (const auto& [address, neighbour] : changes.neighbours.erase)
    outcome.apply(delete_neighbour(netlink, neighbour), "neighbour " + address.str() + " removed");
}

}  // namespace kubecni
