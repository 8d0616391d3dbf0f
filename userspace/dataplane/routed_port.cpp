#include "dataplane/routed_port.hpp"

#include "base/file.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/pod_neighbours.hpp"
#include "net/bridge.hpp"
#include "net/sysctl.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace kubecni {

namespace {

Route link_route(const IpAddr& dst, unsigned ifindex) {
  return {.dst = {dst, dst.bits()},
          .gateway = std::nullopt,
          .ifindex = ifindex,
          .protocol = RTPROT_STATIC,
          .metric = dst.is_v4() ? 0 : kDefaultMetric6};
}

/// Strict: the source has to be an address that a route leads to by this link.
std::string source_check_of(const PodPort& port) {
  return "net/ipv4/conf/" + port.host_ifname + "/rp_filter";
}

}  // namespace

std::vector<Route> routes_to_pod(const PodPort& port, unsigned host_ifindex) {
  std::vector<Route> routes;
  for (const IpAddr& address : port.plain_addresses())
    routes.push_back(link_route(address, host_ifindex));
  return routes;
}

std::vector<Route> routes_to_gateways(const PodPort& port, unsigned pod_ifindex) {
  std::vector<Route> routes;
  if (!port.is_routed()) return routes;
  for (const IpNet& gateway : port.gateway_addresses())
    routes.push_back(link_route(gateway.addr, pod_ifindex));
  return routes;
}

Result<> start_routed_port(NetlinkSocket& node, const Link& host, const PodPort& port) {
  if (auto set = ensure_sysctl(source_check_of(port), "1"); !set) return fail(set);
  // Without IPv6 addresses nobody else says that the pod is no router.
  if (auto set = ensure_sysctl("net/ipv6/conf/" + port.host_ifname + "/accept_ra", "0");
      !set && set.error().code != ENOENT)
    return fail(set);
  if (auto set = ensure_forwarding(port.host_ifname, port.gateway_addresses()); !set)
    return fail(set);
  return set_link_up(node, host.ifindex);
}

Result<> ensure_routed_port(NetlinkSocket& node, const Link& host, const PodPort& port) {
  if (host.master_ifindex != 0) {
    if (auto freed = set_link_master(node, host.ifindex, 0); !freed) return freed;
  }
  if (host.mac != port.host_mac) {
    if (auto set = set_link_mac(node, host.ifindex, port.host_mac); !set) return set;
  }
  if (auto started = start_routed_port(node, host, port); !started) return started;
  for (const IpNet& gateway : port.gateway_addresses()) {
    if (auto set = ensure_address(node, host.ifindex, gateway); !set) return set;
  }
  for (const Route& route : routes_to_pod(port, host.ifindex)) {
    if (auto set = ensure_route(node, route); !set) return set;
  }
  return ensure_neighbours_of(node, port, host.ifindex);
}

std::vector<std::string> routed_port_differences(const HostState& state, const PodPort& port,
                                                 const Link& host) {
  const std::string name = "host end " + port.host_ifname;
  std::vector<std::string> found;
  if (!host.up) found.push_back(name + " is down");
  if (host.master_ifindex != 0) found.push_back(name + " is a port of a bridge");
  if (host.mac != port.host_mac)
    found.push_back(name + " has MAC " + host.mac.str() + ", and the pod knows it as " +
                    port.host_mac.str());
  for (const IpNet& wanted : port.gateway_addresses()) {
    if (!std::ranges::any_of(state.addresses, [&](const LinkAddress& address) {
          return address.ifindex == host.ifindex && address.net == wanted;
        }))
      found.push_back(name + " has lost its address " + wanted.str());
  }
  for (const Route& route : routes_to_pod(port, host.ifindex)) {
    if (!std::ranges::binary_search(state.routes, route))
      found.push_back("the node has lost its route to " + route.dst.addr.str());
  }
  for (const Neighbour& neighbour : neighbours_of(port, host.ifindex)) {
    if (!std::ranges::binary_search(state.neighbours, neighbour))
      found.push_back(name + " has lost its neighbour " + neighbour.addr.str() + " at " +
                      neighbour.mac.str());
  }
  if (const auto value = read_file("/proc/sys/" + source_check_of(port)); value && *value != "1\n")
    found.push_back("the source of what the pod sends is not checked: " + source_check_of(port) +
                    " is not 1");
  return found;
}

}  // namespace kubecni
