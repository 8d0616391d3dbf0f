#include "dataplane/kernel_path.hpp"

#include "net/address.hpp"
#include "net/bridge.hpp"
#include "net/route.hpp"
#include "net/sysctl.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

namespace kubecni {

namespace {

Route default_route(const PodPort& port, unsigned ifindex) {
  return {.dst = {IpAddr::v4({0, 0, 0, 0}), 0},
          .gateway = port.gateway.addr,
          .ifindex = ifindex,
          .protocol = RTPROT_STATIC};
}

Result<> configure_pod_end(NetlinkSocket& pod, const PodPort& port) {
  auto link = find_link(pod, port.pod_ifname);
  if (!link) return fail(link);
  if (!*link) return failure(ENODEV, port.pod_ifname + " vanished from the pod");
  const unsigned ifindex = (*link)->ifindex;
  if (auto set = ensure_address(pod, ifindex, port.address); !set) return set;
  if (auto up = set_link_up(pod, ifindex); !up) return up;
  return ensure_route(pod, default_route(port, ifindex));
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
  if (!std::ranges::any_of(addresses, [&](const LinkAddress& address) {
        return address.ifindex == link->ifindex && address.net == port.address;
      }))
    found.push_back(name + " has lost its address " + port.address.str());
  if (!std::ranges::any_of(routes, [&](const Route& route) {
        return route.dst.prefix == 0 && route.gateway == port.gateway.addr &&
               route.ifindex == link->ifindex;
      }))
    found.push_back("the pod has lost its default route via " + port.gateway.addr.str());
}

Result<> compare_host_end(NetlinkSocket& node, const PodPort& port,
                          std::vector<std::string>& found) {
  auto host = find_link(node, port.host_ifname);
  if (!host) return fail(host);
  auto bridge = find_link(node, port.bridge);
  if (!bridge) return fail(bridge);
  if (!*bridge) found.push_back("bridge " + port.bridge + " is missing");
  if (!*host) {
    found.push_back("host end " + port.host_ifname + " is missing");
    return {};
  }
  if (!(*host)->up) found.push_back("host end " + port.host_ifname + " is down");
  if (!*bridge || (*host)->master_ifindex != (*bridge)->ifindex) {
    found.push_back("host end " + port.host_ifname + " is no port of bridge " + port.bridge);
    return {};
  }
  auto flags = get_bridge_port(node, (*host)->ifindex);
  if (!flags) return fail(flags);
  if (*flags != BridgePort{})
    found.push_back("bridge port " + port.host_ifname +
                    " has lost its settings (hairpin on, learning off, flood off)");
  auto fdb = has_fdb_entry(node, (*host)->ifindex, port.pod_mac);
  if (!fdb) return fail(fdb);
  if (!*fdb) found.push_back("the bridge has lost its FDB entry for " + port.pod_mac.str());
  auto addresses = list_addresses(node);
  if (!addresses) return fail(addresses);
  if (!std::ranges::any_of(*addresses, [&](const LinkAddress& address) {
        return address.ifindex == (*bridge)->ifindex && address.net == port.gateway;
      }))
    found.push_back("bridge " + port.bridge + " has lost its address " + port.gateway.str());
  return {};
}

}  // namespace

Result<Link> ensure_node_bridge(NetlinkSocket& node, const std::string& name, const IpNet& gateway,
                                unsigned mtu_bytes) {
  auto bridge = ensure_bridge(node, name, MacAddr::derived_from(gateway.addr), mtu_bytes);
  if (!bridge) return bridge;
  if (auto set = ensure_sysctl("net/ipv4/ip_forward", "1"); !set) return fail(set);
  if (auto set = ensure_address(node, bridge->ifindex, gateway); !set) return fail(set);
  return bridge;
}

Result<Link> add_pod_port(NetlinkSocket& node, int pod_netns_fd, const PodPort& port,
                          unsigned bridge_ifindex) {
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return fail(pod);
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
  const unsigned ifindex = (*host)->ifindex;
  if (auto up = set_bridge_port_up(node, ifindex, BridgePort{}); !up) return fail(up);
  if (auto added = ensure_fdb_entry(node, ifindex, port.pod_mac); !added) return fail(added);
  if (auto done = configure_pod_end(*pod, port); !done) return fail(done, "pod");
  return **host;
}

Result<> restore_pod_port(NetlinkSocket& node, const Link& host, const Link& bridge,
                          const PodPort& port) {
  if (auto set = set_link_master(node, host.ifindex, bridge.ifindex); !set) return set;
  if (auto up = set_bridge_port_up(node, host.ifindex, BridgePort{}); !up) return up;
  return ensure_fdb_entry(node, host.ifindex, port.pod_mac);
}

Result<> remove_pod_port(NetlinkSocket& node, const std::string& host_ifname) {
  auto host = find_link(node, host_ifname);
  if (!host) return fail(host);
  if (!*host) return {};
  return delete_link(node, (*host)->ifindex);
}

Result<std::vector<std::string>> differences(NetlinkSocket& node, int pod_netns_fd,
                                             const PodPort& port) {
  std::vector<std::string> found;
  auto pod = NetlinkSocket::open_in(pod_netns_fd);
  if (!pod) return fail(pod);
  auto link = find_link(*pod, port.pod_ifname);
  if (!link) return fail(link);
  auto addresses = list_addresses(*pod);
  if (!addresses) return fail(addresses);
  auto routes = list_routes(*pod);
  if (!routes) return fail(routes);
  compare_pod_end(*link, *addresses, *routes, port, found);
  if (auto compared = compare_host_end(node, port, found); !compared) return fail(compared);
  return found;
}

}  // namespace kubecni
