#include "dataplane/kernel_path.hpp"

#include "dataplane/pod_neighbours.hpp"
#include "dataplane/routed_port.hpp"
#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/netns.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <utility>

namespace kubecni {

using namespace std::string_literals;

namespace {

std::string text_of(const PodRoute& route) {
  if (route.dst.prefix == 0) return "default route via " + route.gateway.str();
  return "route to " + route.dst.str() + " via " + route.gateway.str();
}

/// Why the pod does without the route, as "kept eth0's, made no default route via 10.1.0.1".
std::string text_of(const LeftOutRoute& left_out, const std::vector<Link>& links) {
  const auto link = std::ranges::find(links, left_out.by_ifindex, &Link::ifindex);
  const std::string owner = link == links.end() ? "the pod's own" : link->name + "'s";
  return "kept " + owner + ", made no " + text_of(left_out.route);
}

bool is_ipv6(const PodAddress& address) { return !address.net.addr.is_v4(); }

/// Sets up IPv6 on an interface of ours before it is up. Skips duplicate address detection, which
/// takes a second: addresses are allocated, and the link-local one follows from the MAC. Ignores
/// router advertisements: a pod on the bridge could send them (CVE-2020-10749).
Result<> prepare_ipv6(const std::string& ifname) {
  for (const auto& [name, value] :
       {std::pair{"disable_ipv6", "0"}, {"accept_dad", "0"}, {"accept_ra", "0"}}) {
    if (auto set = ensure_sysctl("net/ipv6/conf/" + ifname + "/" + name, value); !set)
      return fail(set);
  }
  return {};
}

/// A runtime may have created the namespace with IPv6 disabled.
Result<> prepare_ipv6_in(int netns_fd, const std::string& ifname) {
  auto guard = NetnsGuard::enter(netns_fd);
  if (!guard) return fail(guard);
  return prepare_ipv6(ifname);
}

Result<> compare_neighbours(NetlinkSocket& netlink, unsigned ifindex,
                            const std::vector<Neighbour>& wanted, const std::string& whose,
                            std::vector<std::string>& found) {
  if (wanted.empty()) return {};
  auto actual = list_permanent_neighbours(netlink, ifindex);
  if (!actual) return fail(actual);
  for (const Neighbour& neighbour : missing(wanted, *actual))
    found.push_back(whose + " has lost its neighbour " + neighbour.addr.str() + " at " +
                    neighbour.mac.str());
  return {};
}

void compare_pod_end(const std::optional<Link>& link, const std::vector<LinkAddress>& addresses,
                     const std::vector<Route>& routes, const PodPort& port,
                     std::vector<std::string>& found) {
  const std::string name = port.pod_ifname + " in the pod";
  if (!link) {
    found.push_back(name + " is missing");
    return;
  }
  if (!link->up) found.push_back(name + " is down");
  if (link->mtu != port.mtu)
    found.push_back(name + " has MTU " + std::to_string(link->mtu) + " instead of " +
                    std::to_string(port.mtu));
  if (link->mac != port.pod_mac)
    found.push_back(name + " has MAC " + link->mac.str() + " instead of " + port.pod_mac.str());
  for (const PodAddress& wanted : port.addresses) {
    if (!std::ranges::any_of(addresses, [&](const LinkAddress& address) {
          return address.ifindex == link->ifindex && address.net == wanted.net;
        }))
      found.push_back(name + " has lost its address " + wanted.net.str());
  }
  for (const Route& wanted : routes_to_gateways(port, link->ifindex)) {
    if (!std::ranges::any_of(routes, [&](const Route& route) {
          return route.dst == wanted.dst && !route.gateway && route.ifindex == link->ifindex;
        }))
      found.push_back("the pod has lost its route to its gateway " + wanted.dst.addr.str());
  }
  // In any table: a later plugin, like sbr, may have moved it.
  for (const PodRoute& wanted : port.routes) {
    if (!std::ranges::any_of(routes, [&](const Route& route) {
          return route.dst == wanted.dst && route.gateway == wanted.gateway &&
                 route.ifindex == link->ifindex;
        }))
      found.push_back("the pod has lost its " + text_of(wanted));
  }
}

/// Another interface of the pod may be in the same network. Its route stays the first one.
Result<> add_gateway_route(NetlinkSocket& pod, Route route) {
  auto added = add_route(pod, route);
  if (added || added.error().code != EEXIST) return added;
  route.metric += route.ifindex;
  return add_route(pod, route);
}

/// Fixes the bridge's MAC before the first pod knows it. Only once: the kernel then forgets every
/// neighbour, also permanent ones of other pods.
Result<> keep_mac(NetlinkSocket& node, const Link& bridge) {
  auto neighbours = list_permanent_neighbours(node, bridge.ifindex);
  if (!neighbours) return fail(neighbours);
  const bool has_pods = std::ranges::any_of(
      *neighbours, [](const Neighbour& neighbour) { return neighbour.protocol == kRouteProtocol; });
  return has_pods ? Result<>() : set_link_mac(node, bridge.ifindex, bridge.mac);
}

}  // namespace

std::string forwarding_of_device(int family, const std::string& device) {
  return std::string("net/") + (family == AF_INET ? "ipv4" : "ipv6") + "/conf/" + device +
         "/forwarding";
}

std::vector<std::string> forwarding_settings(const std::string& device,
                                             const std::vector<IpNet>& addresses) {
  std::vector<std::string> settings;
  for (const int family : {AF_INET, AF_INET6}) {
    if (std::ranges::none_of(addresses,
                             [&](const IpNet& address) { return address.addr.family() == family; }))
      continue;
    settings.emplace_back(family == AF_INET ? "net/ipv4/ip_forward"
                                            : "net/ipv6/conf/all/forwarding");
    settings.push_back(forwarding_of_device(family, device));
  }
  return settings;
}

Result<> ensure_forwarding(const std::string& device, const std::vector<IpNet>& addresses) {
  for (const std::string& setting : forwarding_settings(device, addresses)) {
    if (auto set = ensure_sysctl(setting, "1"); !set) return fail(set);
  }
  const bool has_v6 =
      std::ranges::any_of(addresses, [](const IpNet& address) { return !address.addr.is_v4(); });
  return has_v6 ? prepare_ipv6(device) : Result<>();
}

Result<Link> ensure_node_bridge(NetlinkSocket& node, const std::string& name,
                                const std::vector<IpNet>& addresses, unsigned mtu_bytes,
                                std::optional<MacAddr> known) {
  const MacAddr own =
      addresses.empty() ? MacAddr::random() : MacAddr::derived_from(addresses.front().addr);
  auto bridge = ensure_bridge(node, name, known.value_or(own), mtu_bytes);
  if (!bridge) return bridge;
  if (!addresses.empty() && bridge->mac != own && bridge->mac != known) {
    if (auto kept = keep_mac(node, *bridge); !kept) return fail(kept);
  }
  if (auto set = ensure_forwarding(name, addresses); !set) return fail(set);
  for (const IpNet& address : addresses) {
    if (auto set = ensure_address(node, bridge->ifindex, address); !set) return fail(set);
  }
  return bridge;
}

Result<Link> create_pod_port(NetlinkSocket& node, int pod_netns_fd, const PodPort& port,
                             unsigned bridge_ifindex) {
  auto created = create_veth(node, {.host_name = port.host_ifname,
                                    .host_mac = port.host_mac,
                                    .bridge_ifindex = bridge_ifindex,
                                    .pod_name = port.pod_ifname,
                                    .pod_mac = port.pod_mac,
                                    .pod_netns_fd = pod_netns_fd,
                                    .mtu = port.mtu});
  if (!created) return fail(created);
  auto host = find_link(node, port.host_ifname);
  if (!host) return fail(host);
  if (!*host) return failure(ENODEV, port.host_ifname + " vanished while it was set up");
  if (port.is_routed()) {
    if (auto started = start_routed_port(node, **host, port); !started) return fail(started);
    return **host;
  }
  const unsigned ifindex = (*host)->ifindex;
  if (auto up = set_bridge_port_up(node, ifindex, BridgePort{}); !up) return fail(up);
  if (auto added = ensure_fdb_entry(node, ifindex, port.pod_mac); !added) return fail(added);
  return **host;
}

Result<> configure_pod_port(int pod_netns_fd, const PodPort& port) {
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return fail(pod, "pod");
  auto link = find_link(*pod, port.pod_ifname);
  if (!link) return fail(link, "pod");
  if (!*link) return failure(ENODEV, port.pod_ifname + " vanished from the pod");
  const unsigned ifindex = (*link)->ifindex;
  if (std::ranges::any_of(port.addresses, is_ipv6)) {
    if (auto on = prepare_ipv6_in(pod_netns_fd, port.pod_ifname); !on) return fail(on, "pod");
  }
  const auto network_route = port.is_routed() ? NetworkRoute::kNo : NetworkRoute::kYes;
  for (const PodAddress& address : port.addresses) {
    auto set = ensure_address(*pod, ifindex, address.net, network_route);
    if (!set) return fail(set, "pod");
  }
  if (!(*link)->up) {
    if (auto up = set_link_up(*pod, ifindex); !up) return fail(up, "pod");
  }
  for (const Neighbour& gateway : gateways_of(port, ifindex)) {
    if (auto made = ensure_neighbour(*pod, gateway); !made) return fail(made, "pod");
  }
  for (const Route& route : routes_to_gateways(port, ifindex)) {
    if (auto made = add_gateway_route(*pod, route); !made) return fail(made, "pod");
  }
  for (const PodAddress& address : port.addresses | std::views::filter(is_ipv6)) {
    if (auto there = await_address(*pod, address.net.addr); !there) return fail(there, "pod");
  }
  return {};
}

Result<PodRoutesMade> add_pod_routes(int pod_netns_fd, const PodPort& port, bool takes_default) {
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return fail(pod, "pod");
  auto links = list_links(*pod);
  if (!links) return fail(links, "pod");
  const auto own = std::ranges::find(*links, port.pod_ifname, &Link::name);
  if (own == links->end()) return failure(ENODEV, port.pod_ifname + " vanished from the pod");
  auto existing = list_routes(*pod);
  if (!existing) return fail(existing, "pod");
  auto plan = plan_pod_routes(port.routes, *existing, own->ifindex, takes_default);
  if (!plan) return fail(plan, "pod");
  for (const auto& [route, goes_before] : plan->steps) {
    auto added = goes_before ? prepend_route4(*pod, route) : add_route(*pod, route);
    if (!added) return fail(added, "pod");
  }
  PodRoutesMade result{.made = std::move(plan->made)};
  for (const LeftOutRoute& route : plan->left_out)
    result.left_out.push_back(text_of(route, *links));
  return result;
}

Result<> await_pod_port(NetlinkSocket& node, const Link& host, const PodPort& port) {
  if (!port.is_routed()) {
    if (auto open = await_bridge_port(node, host.ifindex); !open) return open;
  }
  for (const IpNet& address : port.gateway_addresses()) {
    if (address.addr.is_v4()) continue;
    if (auto ready = await_address(node, address.addr); !ready) return ready;
  }
  return {};
}

Result<> restore_pod_port(NetlinkSocket& node, const Link& host, const Link& gateway_device,
                          const PodPort& port) {
  if (port.is_routed()) return ensure_routed_port(node, host, port);
  if (host.master_ifindex != gateway_device.ifindex) {
    if (auto set = set_link_master(node, host.ifindex, gateway_device.ifindex); !set) return set;
  }
  if (auto up = set_bridge_port_up(node, host.ifindex, BridgePort{}); !up) return up;
  if (auto added = ensure_fdb_entry(node, host.ifindex, port.pod_mac); !added) return added;
  return ensure_neighbours_of(node, port, gateway_device.ifindex);
}

Result<> remove_pod_port(NetlinkSocket& node, const std::string& host_ifname) {
  auto host = find_link(node, host_ifname);
  if (!host) return fail(host);
  if (!*host) return {};
  return delete_link(node, (*host)->ifindex);
}

Result<Differences> differences(NetlinkSocket& node, int pod_netns_fd, const PodPort& port) {
  std::vector<std::string> in_pod;
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return fail(pod);
  auto link = find_link(*pod, port.pod_ifname);
  if (!link) return fail(link);
  auto addresses = list_addresses(*pod);
  if (!addresses) return fail(addresses);
  auto routes = list_routes(*pod);
  if (!routes) return fail(routes);
  compare_pod_end(*link, *addresses, *routes, port, in_pod);
  if (*link) {
    const auto gateways = gateways_of(port, (*link)->ifindex);
    auto compared = compare_neighbours(*pod, (*link)->ifindex, gateways, "the pod", in_pod);
    if (!compared) return fail(compared);
  }
  auto state = read_host_state(node);
  if (!state) return fail(state);
  Differences found = host_differences(*state, port);
  found.of_pod.insert(found.of_pod.begin(), in_pod.begin(), in_pod.end());
  return found;
}

}  // namespace kubecni
