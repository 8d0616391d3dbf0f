#include "control/nodes/nodes_controller.hpp"

#include "control/nodes/find_ways.hpp"
#include "control/nodes/kernel_routes.hpp"
#include "control/nodes/node_hooks.hpp"
#include "control/nodes/node_maps.hpp"
#include "control/nodes/peer_steps.hpp"
#include "control/nodes/router_advertisements.hpp"
#include "control/nodes/strict_devices.hpp"
#include "net/address.hpp"
#include "net/link.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace kubecni {

namespace {

bool has_ipv6(const std::vector<IpNet>& networks) {
  return std::ranges::any_of(networks, [](const IpNet& net) { return !net.addr.is_v4(); });
}

/// Whether pods have pacers, and the changes lead to a device that does not keep departure times:
/// then the kernel path has to take these pods over, in a round.
Result<bool> ends_pacing(const std::vector<PeerSteps>& steps, const EbpfDataplane& dataplane) {
  auto config = dataplane.node_config.read();
  if (!config) return fail(config);
  if (!config->has_pacers) return false;
  for (const PeerSteps& step : steps)
    for (const auto& [cidr, node] : step.maps.cidrs.set) {
      auto keeps = dataplane.pacing_devices.find(way_to(node));
      if (!keeps) return fail(keeps);
      if (!*keeps) return true;
    }
  return false;
}

}  // namespace

Result<NodesController> NodesController::open(const DaemonOptions& options) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return NodesController(options, std::move(*netlink));
}

std::optional<Underlay> NodesController::read_underlay(const ClusterView& view, Outcome& outcome) {
  auto routes = list_routes(netlink_);
  auto links = list_links(netlink_);
  auto addresses = list_addresses(netlink_);
  if (!routes || !links || !addresses) {
    outcome.fail((!routes ? routes.error() : !links ? links.error() : addresses.error()).what);
    return std::nullopt;
  }
  auto node_links = find_node_links(std::move(*links), options_.bridge);
  Underlay underlay{.routing = options_.routing,
                    .uplinks = find_uplinks(node_links, *addresses),
                    .links = std::move(node_links),
                    .ways = {},
                    .tunnel_ways = {},
                    .routes = std::move(*routes),
                    .own_addresses = view.self ? view.self->internal_ips : std::vector<IpAddr>{},
                    .tunnel = {}};
  if (view.self) underlay.own_cidrs = view.self->pod_cidrs;
  if (options_.is_ptp()) underlay.routed_cidrs = underlay.own_cidrs;
  underlay.falls_back_to_tunnel = options_.bgp.fallback == "vxlan";
  for (const LinkAddress& address : *addresses)
    underlay.local_addresses.push_back(address.net.addr);
  for (const Node& peer : view.peers)
    if (!find_ways_to(netlink_, peer, underlay, outcome)) return std::nullopt;
  for (const BgpPeer& peer : options_.bgp.peers)
    if (!find_ways(netlink_, {peer.address}, underlay, outcome)) return std::nullopt;
  underlay.strict_devices = find_strict_devices(underlay.ways);
  return underlay;
}

std::optional<NodesPlan> NodesController::prepare(const ClusterView& view,
                                                  std::set<std::pair<std::string, int>> detours,
                                                  Outcome& outcome) {
  auto underlay = read_underlay(view, outcome);
  if (!underlay) return std::nullopt;
  underlay->detours = std::move(detours);
  if (options_.accept_ra && view.self && has_ipv6(view.self->pod_cidrs))
    keep_accepting_advertisements(*underlay, outcome);
  if (auto tunnel = tunnel_.ensure(netlink_, view, underlay->uplinks, outcome))
    underlay->tunnel = *tunnel;
  else
    underlay->no_tunnel_because = tunnel.error();
  NodesPlan made{.desired = plan_desired_state(view, *underlay, options_.bridge, options_.rules),
                 .routes = std::move(underlay->routes),
                 .underlay = {},
                 .tunnel_ifindex = underlay->tunnel ? underlay->tunnel->device.ifindex : 0};
  made.underlay = std::move(*underlay);
  has_ways_back_ = made.desired.has_ways_back();
  let_marks_decide(made.desired.devices_of_ways_back(made.underlay.links), outcome);
  for (const SkippedNode& node : made.desired.unreachable)
    outcome.say(ConditionKind::kNodeSkipped, node.reason, node.name);
  for (const NodeWarning& warning : made.desired.warnings)
    outcome.say(ConditionKind::kNodeDoubtful, warning.text, warning.name);
  return made;
}

void NodesController::sync_routes(const DesiredState& desired, std::vector<Route> routes,
                                  unsigned tunnel_ifindex, Outcome& outcome) {
  auto found = read_kernel_routes(netlink_, std::move(routes), tunnel_ifindex, outcome);
  const auto bridge = find_link(netlink_, options_.bridge);
  if (bridge && *bridge) found.bridge_ifindex = (*bridge)->ifindex;
  apply_kernel_routes(netlink_, plan_kernel_routes(desired, found), outcome);
}

/// Lists the devices anew: the tunnel device may have been made anew.
bool NodesController::sync_hooks(const std::map<std::string, Device>& wires,
                                 EbpfDataplane& dataplane, bool by_ebpf, Outcome& outcome) {
  auto links = list_links(netlink_);
  if (!links) {
    outcome.fail(links.error().what);
    return false;
  }
  const auto found = read_node_hooks(dataplane.programs, options_.bpffs, *links, wires);
  apply_node_hooks(dataplane.programs, options_.bpffs, plan_node_hooks(wires, by_ebpf, found),
                   found, outcome);
  return true;
}

void NodesController::fill_maps(const DesiredState& desired, EbpfDataplane& dataplane,
                                Outcome& outcome) {
  auto found = read_node_maps(dataplane);
  if (!found) return outcome.fail(found.error().what);
  apply_node_maps(dataplane, plan_node_maps(desired, *found), outcome);
}

void NodesController::apply(const ClusterView& view, NodesPlan& plan, EbpfDataplane* dataplane,
                            bool by_ebpf, Outcome& outcome) {
  const DesiredState& desired = plan.desired;
  remember(plan);
  sync_routes(desired, std::move(plan.routes), plan.tunnel_ifindex, outcome);
  if (dataplane && by_ebpf) {
    // from_pod may redirect to a wire only when to_wire is there to clear the mark.
    if (sync_hooks(desired.wires, *dataplane, true, outcome))
      fill_maps(desired, *dataplane, outcome);
    else
      last_round_.reset();
  } else if (dataplane) {
    fill_maps({}, *dataplane, outcome);
    sync_hooks({}, *dataplane, false, outcome);
  }
  tunnel_.sync_offload(view, desired.paths, outcome);
}

void NodesController::remember(NodesPlan& plan) {
  // They would be the largest part by far.
  auto ways = std::exchange(plan.underlay.ways, {});
  auto tunnel_ways = std::exchange(plan.underlay.tunnel_ways, {});
  Round& round = last_round_.emplace(plan.underlay, DesiredState());
  plan.underlay.ways = std::move(ways);
  plan.underlay.tunnel_ways = std::move(tunnel_ways);
  round.of_all.rules = plan.desired.rules;
  round.of_all.wires = plan.desired.wires;
  round.of_all.mtu = plan.desired.mtu;
  std::ranges::copy_if(plan.routes, std::back_inserter(round.underlay.routes),
                       [](const Route& route) { return route.protocol != kRouteProtocol; });
}

bool NodesController::follow(const std::vector<PeerChange>& changes,
                             const std::function<bool()>& may_write, EbpfDataplane* dataplane,
                             bool by_ebpf, Outcome& outcome) {
  // BIRD has to hear of other nodes first.
  if (!last_round_ || options_.routing == Routing::kBgp) return false;
  auto& [underlay, of_all] = *last_round_;
  underlay.ways.clear();
  underlay.tunnel_ways.clear();
  for (const PeerChange& change : changes)
    for (const std::optional<Node>* node : {&change.before, &change.after})
      if (*node && !find_ways_to(netlink_, **node, underlay, outcome)) return false;
  const auto plan_for = [&](const std::optional<Node>& node) {
    return node ? plan_peer(*node, underlay, options_.bridge, options_.rules, of_all) : of_all;
  };
  std::vector<PeerSteps> steps;
  for (const PeerChange& change : changes) {
    auto step =
        plan_peer_steps(plan_for(change.before), plan_for(change.after), of_all, underlay.routes);
    if (!step) return false;
    steps.push_back(std::move(*step));
  }
  if (dataplane && by_ebpf) {
    auto ends = ends_pacing(steps, *dataplane);
    if (!ends || *ends) return false;
  }
  if (!may_write()) return false;
  for (const PeerSteps& step : steps) {
    apply_kernel_routes(netlink_, step.routes, outcome);
    if (dataplane && by_ebpf) apply_node_maps(*dataplane, step.maps, outcome);
  }
  return true;
}

bool NodesController::has_ways_back() {
  if (has_ways_back_) return *has_ways_back_;
  const auto rules = list_rules(netlink_, kRouteProtocol);
  return rules && std::ranges::find(*rules, kWayBackTable, &Rule::table) != rules->end();
}

bool NodesController::is_guarding_tunnel(EbpfDataplane* dataplane) {
  if (!dataplane) return false;
  auto device = find_link(netlink_, kTunnelName);
  if (!device || !*device) return false;
  auto attached =
      dataplane->programs.is_attached(KUBECNI_ON_TUNNEL, {(*device)->ifindex, (*device)->name});
  auto peers = dataplane->tunnel_peers.entries();
  return attached && *attached && peers && peers->contains(IpAddr::any(AF_INET)) &&
         peers->contains(IpAddr::any(AF_INET6));
}

bool NodesController::clean_up(EbpfDataplane* dataplane, Outcome& outcome) {
  // The device goes first: nobody would guard it.
  bool is_gone = false;
  if (auto links = list_links(netlink_); !links) {
    outcome.fail(links.error().what);
  } else if (const auto tunnel = find_tunnel(*links)) {
    auto deleted = delete_link(netlink_, tunnel->ifindex);
    is_gone = deleted.has_value();
    outcome.apply(deleted, "tunnel device removed");
  } else {
    is_gone = true;
  }
  if (dataplane) {
    fill_maps({}, *dataplane, outcome);
    sync_hooks({}, *dataplane, false, outcome);
  }
  if (auto routes = list_routes(netlink_))
    sync_routes({}, std::move(*routes), 0, outcome);
  else
    outcome.fail(routes.error().what);
  return is_gone;
}

}  // namespace kubecni
