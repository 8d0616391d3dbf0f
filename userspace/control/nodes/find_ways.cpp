#include "control/nodes/find_ways.hpp"

#include "net/route.hpp"

#include <optional>

namespace kubecni {

namespace {

void find_way_from(const std::optional<IpAddr>& source, const IpAddr& address,
                   NetlinkSocket& netlink, const std::vector<Link>& links, Ways& ways,
                   Outcome& outcome) {
  if (ways.contains(address)) return;
  const auto hop = find_next_hop(netlink, address, source);
  if (!hop) return outcome.fail(hop.error().what);
  if (!*hop) return;
  const Link* link = find_node_link((*hop)->ifindex, links);
  if (!link) return;
  ways.emplace(address, Way{.device = {link->ifindex, link->name},
                            .gateway = (*hop)->gateway,
                            .source = (*hop)->source,
                            .mtu = link->mtu,
                            .has_ethernet = link->has_ethernet});
}

}  // namespace

void find_ways(NetlinkSocket& netlink, const std::vector<IpAddr>& addresses, Underlay& underlay,
               Outcome& outcome) {
  for (const IpAddr& address : addresses)
    find_way_from({}, address, netlink, underlay.links, underlay.ways, outcome);
}

void find_ways_to(NetlinkSocket& netlink, const Node& peer, Underlay& underlay, Outcome& outcome) {
  find_ways(netlink, peer.internal_ips, underlay, outcome);
  if (const IpAddr* endpoint = find_endpoint(peer, underlay.own_addresses))
    find_way_from(own_endpoint(endpoint->family(), underlay), *endpoint, netlink, underlay.links,
                  underlay.tunnel_ways, outcome);
}

}  // namespace kubecni
