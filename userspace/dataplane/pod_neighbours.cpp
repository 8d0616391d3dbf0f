#include "dataplane/pod_neighbours.hpp"

#include "net/route.hpp"
#include "state/attachment.hpp"

#include <algorithm>

namespace kubecni {

std::vector<Neighbour> neighbours_of(const PodPort& port, unsigned ifindex) {
  std::vector<Neighbour> all;
  bool has_v6 = false;
  for (const PodAddress& address : port.addresses) {
    const bool v6 = !address.net.addr.is_v4();
    if (v6 && !port.owns_gateways) continue;
    all.push_back({ifindex, address.net.addr, port.pod_mac, kRouteProtocol});
    has_v6 = has_v6 || v6;
  }
  if (has_v6) all.push_back({ifindex, port.pod_mac.link_local(), port.pod_mac, kRouteProtocol});
  return all;
}

Result<> ensure_neighbours_of(NetlinkSocket& node, const PodPort& port, unsigned ifindex) {
  for (const Neighbour& neighbour : neighbours_of(port, ifindex)) {
    if (auto made = ensure_neighbour(node, neighbour); !made) return made;
  }
  return {};
}

Result<> delete_neighbours_at(NetlinkSocket& node, const std::vector<IpAddr>& addresses,
                              unsigned ifindex) {
  for (const IpAddr& address : addresses) {
    auto deleted = delete_neighbour(node, {.ifindex = ifindex, .addr = address, .mac = {}});
    if (!deleted) return deleted;
  }
  return {};
}

Result<bool> has_pod_at(NetlinkSocket& node, const IpAddr& address, unsigned bridge_ifindex) {
  auto neighbour = find_permanent_neighbour(node, bridge_ifindex, address);
  if (!neighbour) return fail(neighbour);
  if (!*neighbour || (*neighbour)->protocol != kRouteProtocol) return false;
  auto fdb = list_fdb(node);
  if (!fdb) return fail(fdb);
  return is_port_reached(*fdb, bridge_ifindex, (*neighbour)->mac);
}

Result<bool> has_routed_pod_at(NetlinkSocket& node, const IpAddr& address) {
  auto next_hop = find_next_hop(node, address);
  if (!next_hop) return fail(next_hop);
  if (!*next_hop) return false;
  auto link = find_link(node, (*next_hop)->ifindex);
  if (!link) return fail(link);
  return *link && is_host_ifname((*link)->name);
}

bool is_port_reached(const std::vector<FdbEntry>& fdb, unsigned bridge_ifindex,
                     const MacAddr& mac) {
  return std::ranges::any_of(fdb, [&](const FdbEntry& entry) {
    return entry.bridge_ifindex == bridge_ifindex && entry.mac == mac && entry.is_static;
  });
}

std::vector<Neighbour> gateways_of(const PodPort& port, unsigned pod_ifindex) {
  std::vector<Neighbour> all;
  if (port.gateway_mac == MacAddr{}) return all;
  for (const IpNet& gateway : port.gateway_addresses())
    all.push_back({pod_ifindex, gateway.addr, port.gateway_mac, kRouteProtocol});
  return all;
}

std::vector<Neighbour> missing(const std::vector<Neighbour>& wanted,
                               const std::vector<Neighbour>& actual) {
  std::vector<Neighbour> without;
  std::ranges::copy_if(wanted, std::back_inserter(without), [&](const Neighbour& neighbour) {
    return std::ranges::find(actual, neighbour) == actual.end();
  });
  return without;
}

}  // namespace kubecni
