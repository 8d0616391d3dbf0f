#include "control/probe/probe_pod.hpp"

#include "control/probe/probe_message.hpp"
#include "dataplane/kernel_path.hpp"
#include "dataplane/routed_port.hpp"
#include "ipam/pool.hpp"
#include "net/bridge.hpp"
#include "net/neighbour.hpp"
#include "net/netns.hpp"
#include "net/route.hpp"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

namespace kubecni {

namespace {

/// Since 5.14 the first address of an IPv4 network is like any other; before, it means "all".
bool has_lowest_addresses() {
  utsname name{};
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) >= std::pair(5, 14);
}

/// Runs `work` on a thread of its own: a namespace belongs to a thread, and the loop's stays where
/// it is. Errors: EAGAIN no thread.
template <typename Work>
Result<> on_a_thread(Work work) {
  try {
    std::thread(work).join();
  } catch (const std::system_error& error) {
    return sys_error(error.code().value(), "start a thread");
  }
  return {};
}

Result<UniqueFd> make_netns() {
  Result<UniqueFd> made;
  auto ran = on_a_thread([&] {
    if (::unshare(CLONE_NEWNET) != 0)
      made = sys_error(errno, "make a network namespace");
    else
      made = open_netns("/proc/thread-self/ns/net");
  });
  if (!ran) return fail(ran);
  return made;
}

Result<> configure(int netns_fd, const PodPort& port) {
  Result<> done;
  auto ran = on_a_thread([&] {
    done = configure_pod_port(netns_fd, port);
    if (!done) return;
    if (auto routes = add_pod_routes(netns_fd, port, false); !routes) done = fail(routes);
  });
  return ran ? done : ran;
}

PodPort port_of(const Link* bridge, const std::vector<IpNet>& nets, unsigned mtu) {
  const MacAddr host_mac = MacAddr::random();
  PodPort port{.bridge = bridge ? bridge->name : "",
               .host_ifname = kProbePortName,
               .host_mac = host_mac,
               .pod_ifname = "eth0",
               .pod_mac = MacAddr::derived_from(nets.front().addr),
               .addresses = {},
               .routes = {},
               .gateway_mac = bridge ? bridge->mac : host_mac,
               .mtu = mtu};
  for (const IpNet& net : nets) {
    const auto pool = Pool::of(net.network());
    if (!pool) continue;
    port.addresses.push_back({net, pool->gateway()});
    port.routes.push_back({{IpAddr::any(net.addr.family()), 0}, pool->gateway()});
  }
  return port;
}

Result<> ensure_neighbours(NetlinkSocket& node, const Link& bridge, const PodPort& port) {
  for (const IpAddr& address : port.plain_addresses()) {
    auto made = ensure_neighbour(node, {bridge.ifindex, address, port.pod_mac, kProbeProtocol});
    if (!made) return made;
  }
  return {};
}

/// The node's side of the port; its interface is there.
Result<> connect(NetlinkSocket& node, const Link& host, const Link* bridge, const PodPort& port) {
  return bridge ? ensure_neighbours(node, *bridge, port) : ensure_routed_port(node, host, port);
}

/// EADDRINUSE a pod has one: somebody asked for just that address. Of another bridge, where pods
/// are in another network, it does not count; in mode ptp they are in this one.
Result<> check_free(NetlinkSocket& node, const std::vector<IpNet>& nets, const Link* bridge) {
  auto links = list_links(node);
  if (!links) return fail(links);
  const auto is_on_another_bridge = [&](const Neighbour& neighbour) {
    const auto link = std::ranges::find(*links, neighbour.ifindex, &Link::ifindex);
    return bridge && link != links->end() && link->kind == "bridge" &&
           link->ifindex != bridge->ifindex;
  };
  auto own = find_link(node, kProbePortName);
  if (!own) return fail(own);
  auto neighbours = list_permanent_neighbours(node);
  if (!neighbours) return fail(neighbours);
  for (const Neighbour& neighbour : *neighbours)
    if (neighbour.protocol == kRouteProtocol && (!*own || neighbour.ifindex != (*own)->ifindex) &&
        !is_on_another_bridge(neighbour) &&
        std::ranges::find(nets, neighbour.addr, &IpNet::addr) != nets.end())
      return failure(EADDRINUSE, "a pod has the address " + neighbour.addr.str());
  return {};
}

}  // namespace

std::vector<IpNet> probe_nets_of(const std::vector<IpNet>& pod_cidrs) {
  static const bool has_v4 = has_lowest_addresses();
  std::vector<IpNet> nets;
  for (const IpNet& cidr : first_of_each_family(pod_cidrs)) {
    const auto address = probe_address_of(cidr);
    if (address && (has_v4 || !address->is_v4())) nets.push_back({*address, cidr.prefix});
  }
  return nets;
}

Result<ProbePod> ProbePod::make(NetlinkSocket& node, const Link* bridge,
                                const std::string& cluster_bridge, const std::vector<IpNet>& nets,
                                unsigned mtu) {
  if (auto free = check_free(node, nets, bridge); !free) return fail(free);
  auto removed = remove_left_over(node, cluster_bridge);
  if (!removed) return fail(removed);
  auto netns = make_netns();
  if (!netns) return fail(netns);
  PodPort port = port_of(bridge, nets, mtu);
  auto host = create_pod_port(node, netns->get(), port, bridge ? bridge->ifindex : 0);
  if (!host) return fail(host);
  if (auto done = configure(netns->get(), port); !done) return fail(done);
  if (auto done = connect(node, *host, bridge, port); !done) return fail(done);
  return ProbePod(std::move(*netns), std::move(port), nets);
}

Result<bool> ProbePod::restore(NetlinkSocket& node, const Link* bridge,
                               const std::vector<IpNet>& nets) {
  // make() says what is wrong.
  if (!check_free(node, nets, bridge)) return false;
  if (nets != nets_ || (bridge ? bridge->name : "") != port_.bridge) return false;
  auto host = find_link(node, kProbePortName);
  if (!host) return fail(host);
  if (!*host) return false;
  if (bridge) return restore_on_bridge(node, **host, *bridge);
  if (auto done = ensure_routed_port(node, **host, port_); !done) return fail(done);
  return true;
}

Result<bool> ProbePod::restore_on_bridge(NetlinkSocket& node, const Link& host,
                                         const Link& bridge) {
  if (bridge.mac != port_.gateway_mac || host.master_ifindex != bridge.ifindex || !host.up)
    return false;
  auto flags = get_bridge_port(node, host.ifindex);
  if (!flags || *flags != BridgePort{}) return false;
  auto known = has_fdb_entry(node, host.ifindex, port_.pod_mac);
  if (!known) return fail(known);
  if (!*known) return false;
  if (auto made = ensure_neighbours(node, bridge, port_); !made) return fail(made);
  return true;
}

Result<bool> ProbePod::remove_left_over(NetlinkSocket& node, const std::string& bridge) {
  auto host = find_link(node, kProbePortName);
  if (!host) return fail(host);
  if (auto removed = remove_pod_port(node, kProbePortName); !removed) return fail(removed);
  bool had_any = host->has_value();
  auto link = find_link(node, bridge);
  if (!link) return fail(link);
  if (!*link) return had_any;
  auto neighbours = list_permanent_neighbours(node, (*link)->ifindex);
  if (!neighbours) return fail(neighbours);
  for (const Neighbour& neighbour : *neighbours) {
    if (neighbour.protocol != kProbeProtocol) continue;
    if (auto gone = delete_neighbour(node, neighbour); !gone) return fail(gone);
    had_any = true;
  }
  return had_any;
}

}  // namespace kubecni
