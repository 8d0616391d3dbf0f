#include "control/pods/pod_neighbour_sync.hpp"

#include "dataplane/pod_neighbours.hpp"
#include "net/route.hpp"
#include "pods/node_bridge.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace kubecni {

std::vector<Neighbour> list_pod_neighbours(NetlinkSocket& netlink, const std::vector<Link>& links,
                                           Outcome& outcome) {
  std::vector<Neighbour> ours;
  for (const Link& link : links) {
    if (link.kind != "bridge") continue;
    auto listed = list_permanent_neighbours(netlink, link.ifindex);
    if (!listed) outcome.fail(listed.error().what);
    if (!listed) continue;
    std::ranges::copy_if(*listed, std::back_inserter(ours), [](const Neighbour& neighbour) {
      return neighbour.protocol == kRouteProtocol;
    });
  }
  return ours;
}

void restore_bridge_macs(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                         std::vector<Link>& links, Outcome& outcome) {
  for (Link& link : links) {
    if (link.kind != "bridge") continue;
    auto restored = restore_bridge_mac(netlink, attachments, link);
    if (!restored || *restored)
      outcome.apply(restored ? Result<>() : fail(restored),
                    "bridge " + link.name + " has the MAC again that its pods know");
  }
}

namespace {

/// A pod that ended without a DEL keeps its record until somebody frees its address, which
/// may be another host's meanwhile. `links` may be older than the record.
bool has_host_end(NetlinkSocket& netlink, const std::vector<Link>& links,
                  const std::string& host_ifname) {
  if (std::ranges::find(links, host_ifname, &Link::name) != links.end()) return true;
  auto link = find_link(netlink, host_ifname);
  return !link || link->has_value();
}

}  // namespace

void remove_strange_neighbours(NetlinkSocket& netlink, const std::vector<Attachment>& attachments,
                               const std::vector<Link>& links,
                               const std::vector<Neighbour>& neighbours, Outcome& outcome) {
  std::set<std::pair<unsigned, IpAddr>> of_pods;
  for (const Attachment& attachment : attachments) {
    const auto bridge = std::ranges::find(links, attachment.port.bridge, &Link::name);
    if (bridge == links.end() || !has_host_end(netlink, links, attachment.port.host_ifname))
      continue;
    for (const Neighbour& neighbour : neighbours_of(attachment.port, bridge->ifindex))
      of_pods.emplace(neighbour.ifindex, neighbour.addr);
  }
  std::set<MacAddr> recorded;
  for (const Attachment& attachment : attachments) recorded.insert(attachment.port.pod_mac);
  const auto fdb = list_fdb(netlink);
  if (!fdb) return outcome.fail(fdb.error().what);
  // A pod whose record was lost lives on.
  const auto is_of_unknown_pod = [&](const Neighbour& neighbour) {
    return !recorded.contains(neighbour.mac) &&
           is_port_reached(*fdb, neighbour.ifindex, neighbour.mac);
  };
  for (const Neighbour& neighbour : neighbours) {
    if (!of_pods.contains({neighbour.ifindex, neighbour.addr}) && !is_of_unknown_pod(neighbour))
      outcome.apply(delete_neighbour(netlink, neighbour),
                    "neighbour " + neighbour.addr.str() + " removed, which no pod has");
  }
}

}  // namespace kubecni
