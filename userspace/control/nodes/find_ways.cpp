#include "control/nodes/find_ways.hpp"

#include "net/route.hpp"

#include <algorithm>
#include <optional>

namespace kubecni {

namespace {

bool find_way_from(const std::optional<IpAddr>& source, const IpAddr& address,
                   NetlinkSocket& netlink, const std::vector<Link>& links, Ways& ways,
                   Outcome& outcome) {
  if (ways.contains(address)) return true;
  const auto hop = find_next_hop(netlink, address, source);
  if (!hop) {
    outcome.fail(hop.error().what);
    return false;
  }
  if (!*hop) return true;
  const Link* link = find_node_link((*hop)->ifindex, links);
  if (!link) return true;
  ways.emplace(address, Way{.device = {link->ifindex, link->name},
                            .gateway = (*hop)->gateway,
                            .source = (*hop)->source,
                            .mtu = link->mtu,
                            .has_ethernet = link->has_ethernet});
  return true;
}

}  // namespace

bool find_ways(NetlinkSocket& netlink, const std::vector<IpAddr>& addresses, Underlay& underlay,
               Outcome& outcome) {
  return std::ranges::all_of(addresses, [&](const IpAddr& address) {
    return find_way_from({}, address, netlink, underlay.links, underlay.ways, outcome);
  });
}

bool find_ways_to(NetlinkSocket& netlink, const Node& peer, Underlay& underlay, Outcome& outcome) {
  if (!find_ways(netlink, peer.internal_ips, underlay, outcome)) return false;
  const IpAddr* endpoint = find_endpoint(peer, underlay.own_addresses);
  if (!endpoint) return true;
  const auto source = own_endpoint(endpoint->family(), underlay);
  const Way* way = find_way(*endpoint, underlay.ways);
  if (way && source && way->source == source) {
    underlay.tunnel_ways.emplace(*endpoint, *way);
    return true;
  }
  return find_way_from(source, *endpoint, netlink, underlay.links, underlay.tunnel_ways, outcome);
}

}  // namespace kubecni
