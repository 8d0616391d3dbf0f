#include "dataplane/host_state.hpp"

#include "base/file.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "dataplane/routed_port.hpp"
#include "state/attachment.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace kubecni {

namespace {

/// Every setting that has to be 1, or packets from the pod do not get anywhere.
void compare_forwarding(const PodPort& port, std::vector<std::string>& found) {
  for (const std::string& setting :
       forwarding_settings(port.gateway_device(), port.gateway_addresses())) {
    const auto value = read_file("/proc/sys/" + setting);
    if (value && *value == "0\n") found.push_back("the node does not forward: " + setting + "=0");
  }
}

void compare_uplink(const HostState& state, const PodPort& port, const Link& bridge,
                    std::vector<std::string>& found) {
  if (port.uplink.empty()) return;
  const Link* const uplink = state.find(port.uplink);
  if (!uplink)
    found.push_back("uplink " + port.uplink + " of bridge " + port.bridge + " is missing");
  else if (uplink->master_ifindex != bridge.ifindex)
    found.push_back("uplink " + port.uplink + " is not a port of bridge " + port.bridge);
}

void compare_bridge(const HostState& state, const PodPort& port, const Link& bridge,
                    std::vector<std::string>& found) {
  if (!bridge.up) found.push_back("bridge " + port.bridge + " is down");
  if (port.gateway_mac != MacAddr{} && port.gateway_mac != bridge.mac)
    found.push_back("bridge " + port.bridge + " has MAC " + bridge.mac.str() +
                    ", and the pod knows it as " + port.gateway_mac.str());
  if (!has_own_fdb_entry(state.fdb, bridge))
    found.push_back("bridge " + port.bridge + " has lost the FDB entry of its own MAC");
  for (const IpNet& wanted : port.gateway_addresses()) {
    if (!std::ranges::any_of(state.addresses, [&](const LinkAddress& address) {
          return address.ifindex == bridge.ifindex && address.net == wanted;
        }))
      found.push_back("bridge " + port.bridge + " has lost its address " + wanted.str());
  }
  compare_uplink(state, port, bridge, found);
  compare_forwarding(port, found);
}

/// Whether the port can have entries in the bridge's tables, and what is wrong with the port
/// itself.
bool compare_port(const HostState& state, const PodPort& port, const Link& host, const Link& bridge,
                  std::vector<std::string>& found) {
  if (!host.up) found.push_back("host end " + port.host_ifname + " is down");
  if (host.master_ifindex != bridge.ifindex) {
    found.push_back("host end " + port.host_ifname + " is not a port of bridge " + port.bridge);
    return false;
  }
  const auto flags = state.ports.find(host.ifindex);
  if (flags == state.ports.end() || flags->second != BridgePort{})
    found.push_back("bridge port " + port.host_ifname +
                    " has lost its settings (hairpin on, learning off, flood off, locked on,"
                    " guard on, mcast_router 0)");
  return true;
}

void compare_entries(const HostState& state, const PodPort& port, const Link& host,
                     const Link& bridge, std::vector<std::string>& found) {
  const FdbEntry entry{bridge.ifindex, host.ifindex, port.pod_mac, true, false};
  if (!std::ranges::binary_search(state.fdb, entry))
    found.push_back("the bridge has lost its FDB entry for " + port.pod_mac.str());
  for (const Neighbour& neighbour : neighbours_of(port, bridge.ifindex)) {
    if (!std::ranges::binary_search(state.neighbours, neighbour))
      found.push_back("bridge " + port.bridge + " has lost its neighbour " + neighbour.addr.str() +
                      " at " + neighbour.mac.str());
  }
}

/// Of pods in mode ptp. Only a node that has such pods lists all its routes and neighbours: in a
/// large cluster, most are those of other nodes.
std::set<unsigned> routed_host_ends(const std::vector<Link>& links) {
  std::set<unsigned> host_ends;
  for (const Link& link : links)
    if (is_host_ifname(link.name) && link.master_ifindex == 0) host_ends.insert(link.ifindex);
  return host_ends;
}

Result<std::vector<Neighbour>> list_pod_neighbours(NetlinkSocket& node,
                                                   const std::vector<Link>& links) {
  if (!routed_host_ends(links).empty()) return list_permanent_neighbours(node);
  std::vector<Neighbour> all;
  for (const Link& link : links) {
    if (link.kind != "bridge") continue;
    auto neighbours = list_permanent_neighbours(node, link.ifindex);
    if (!neighbours) return neighbours;
    all.insert(all.end(), neighbours->begin(), neighbours->end());
  }
  return all;
}

Result<std::vector<Route>> list_pod_routes(NetlinkSocket& node, const std::vector<Link>& links) {
  const auto host_ends = routed_host_ends(links);
  if (host_ends.empty()) return std::vector<Route>{};
  auto routes = list_routes(node);
  if (!routes) return routes;
  std::erase_if(*routes, [&](const Route& route) { return !host_ends.contains(route.ifindex); });
  return routes;
}

}  // namespace

const Link* HostState::find(const std::string& name) const {
  const auto found = std::ranges::find(links, name, &Link::name);
  return found == links.end() ? nullptr : &*found;
}

Result<HostState> read_host_state(NetlinkSocket& node) {
  HostState state;
  auto links = list_links(node);
  if (!links) return fail(links);
  auto ports = list_bridge_ports(node);
  if (!ports) return fail(ports);
  auto fdb = list_fdb(node);
  if (!fdb) return fail(fdb);
  auto addresses = list_addresses(node);
  if (!addresses) return fail(addresses);
  auto neighbours = list_pod_neighbours(node, *links);
  if (!neighbours) return fail(neighbours);
  auto routes = list_pod_routes(node, *links);
  if (!routes) return fail(routes);
  state.links = std::move(*links);
  state.ports = std::move(*ports);
  state.fdb = std::move(*fdb);
  state.addresses = std::move(*addresses);
  state.neighbours = std::move(*neighbours);
  state.routes = std::move(*routes);
  // To be searched once for each pod.
  std::ranges::sort(state.fdb);
  std::ranges::sort(state.neighbours);
  std::ranges::sort(state.routes);
  return state;
}

std::vector<std::string> port_differences(const HostState& state, const PodPort& port,
                                          const Link& host, const Link& gateway_device) {
  if (port.is_routed()) {
    auto found = routed_port_differences(state, port, host);
    compare_forwarding(port, found);
    return found;
  }
  std::vector<std::string> found;
  if (compare_port(state, port, host, gateway_device, found))
    compare_entries(state, port, host, gateway_device, found);
  return found;
}

Differences host_differences(const HostState& state, const PodPort& port) {
  Differences found;
  const Link* const host = state.find(port.host_ifname);
  if (port.is_routed()) {
    if (host)
      found.of_pod = routed_port_differences(state, port, *host);
    else
      found.of_pod.push_back("host end " + port.host_ifname + " is missing");
    compare_forwarding(port, found.of_node);
    return found;
  }
  const Link* const bridge = state.find(port.bridge);
  if (!host) found.of_pod.push_back("host end " + port.host_ifname + " is missing");
  if (!bridge) found.of_node.push_back("bridge " + port.bridge + " is missing");
  if (bridge) compare_bridge(state, port, *bridge, found.of_node);
  // A bridge that goes down, or loses its address or MAC, loses the entries of all pods with it.
  auto& entries = found.of_node.empty() ? found.of_pod : found.of_node;
  if (host && bridge && compare_port(state, port, *host, *bridge, found.of_pod))
    compare_entries(state, port, *host, *bridge, entries);
  return found;
}

}  // namespace kubecni
