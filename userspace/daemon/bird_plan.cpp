#include "daemon/bird_plan.hpp"

#include "base/fnv.hpp"
#include "net/route.hpp"
#include "state/attachment.hpp"
#include "state/files.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace kubecni {

namespace {

const IpAddr* address_of(const Node& node, int family) {
  const auto found = std::ranges::find(node.internal_ips, family, &IpAddr::family);
  return found == node.internal_ips.end() ? nullptr : &*found;
}

/// The first IPv4 address, else one that follows from the first address.
IpAddr router_id_of(const Node& self) {
  if (const IpAddr* address = address_of(self, AF_INET)) return *address;
  const std::uint32_t hash = fnv1a<std::uint32_t>(self.internal_ips.front().str()) | 1;
  return IpAddr::v4({std::uint8_t(hash >> 24), std::uint8_t(hash >> 16), std::uint8_t(hash >> 8),
                     std::uint8_t(hash)});
}

void add_safe(const Node& peer, const Underlay& underlay, std::vector<IpNet>& cidrs) {
  for (const IpNet& cidr : peer.pod_cidrs)
    if (why_harmful(cidr, underlay).empty()) cidrs.push_back(cidr);
}

bool has_pods_of(int family, const Node& node) {
  return std::ranges::any_of(node.pod_cidrs,
                             [&](const IpNet& cidr) { return cidr.addr.family() == family; });
}

/// One session with each address, and none with this node. BIRD refuses a configuration with two,
/// and Node objects may share an address.
void add_session(BirdSession session, const Underlay& underlay, BirdConfig& config) {
  const auto& own = underlay.local_addresses;
  if (std::ranges::find(own, session.peer) != own.end()) return;
  const auto same = std::ranges::find(config.sessions, session.peer, &BirdSession::peer);
  if (same == config.sessions.end()) return config.sessions.push_back(std::move(session));
  for (const IpNet& cidr : session.accepted)
    if (std::ranges::find(same->accepted, cidr) == same->accepted.end())
      same->accepted.push_back(cidr);
}

/// For each family of pods that one of the two has, and of which both have an address.
void add_mesh(const Node& self, const Node& peer, const Underlay& underlay,
              const BgpOptions& options, BirdConfig& config) {
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddr* own = address_of(self, family);
    const IpAddr* address = address_of(peer, family);
    if (!own || !address || (!has_pods_of(family, self) && !has_pods_of(family, peer))) continue;
    const bool on_link = find_way_on_link(*address, underlay);
    if (!on_link && options.peers.empty()) continue;
    BirdSession session{.node = peer.name,
                        .local = *own,
                        .peer = *address,
                        .peer_as = options.as,
                        .peer_port = options.port,
                        .is_on_link = on_link,
                        .password_file = options.password_file,
                        .accepted = {},
                        .is_next_hop = true};
    add_safe(peer, underlay, session.accepted);
    add_session(std::move(session), underlay, config);
  }
}

/// The address that a session with `peer` starts from: on a link of both that of this node, else
/// the node's own.
std::optional<IpAddr> source_towards(const IpAddr& peer, const Node& self,
                                     const Underlay& underlay) {
  if (const Way* way = find_way_on_link(peer, underlay); way && way->source) return way->source;
  const IpAddr* own = address_of(self, peer.family());
  return own ? std::optional(*own) : std::nullopt;
}

/// Another system's router on a link is the next hop of what it tells. A reflector of our own
/// system passes on the nodes' addresses as next hops.
void add_peer(const BgpPeer& peer, const ClusterView& view, const Underlay& underlay,
              const BgpOptions& options, BirdConfig& config) {
  const auto source = source_towards(peer.address, *view.self, underlay);
  if (!source) return;
  const std::uint32_t as = peer.as.value_or(options.as);
  BirdSession session{.node = {},
                      .local = *source,
                      .peer = peer.address,
                      .peer_as = as,
                      .peer_port = peer.port,
                      .is_on_link = as != options.as && find_way_on_link(peer.address, underlay),
                      .password_file = peer.password_file,
                      .accepted = {}};
  for (const Node& node : view.peers) add_safe(node, underlay, session.accepted);
  add_session(std::move(session), underlay, config);
}

void add_next_hop(const IpAddr& address, const Underlay& underlay, BirdConfig& config) {
  const Way* way = find_way(address, underlay.ways);
  if (way && way->gateway) config.next_hops.push_back({address, *way->gateway, way->device.name});
}

/// Hosts behind a router by which routes may lead: nodes, and configured peers.
void add_next_hops(const ClusterView& view, const Underlay& underlay, const BgpOptions& options,
                   BirdConfig& config) {
  if (options.peers.empty()) return;
  for (const BgpPeer& peer : options.peers) add_next_hop(peer.address, underlay, config);
  for (const Node& node : view.peers)
    for (const IpAddr& address : first_of_each_family(node.internal_ips))
      add_next_hop(address, underlay, config);
}

/// No next hop is there.
std::vector<std::string> devices_of_pods(const DaemonOptions& options) {
  std::vector<std::string> devices{options.bridge, kTunnelName};
  if (options.is_ptp()) devices.insert(devices.end(), {kHostIfnames, "kcni.*"});
  return devices;
}

}  // namespace

BirdConfig plan_bird(const ClusterView& view, const Underlay& underlay,
                     const DaemonOptions& options) {
  const BgpOptions& bgp = options.bgp;
  BirdConfig config{
      .router_id = router_id_of(*view.self),
      .as = bgp.as,
      .port = bgp.port,
      .hold_time = bgp.hold_time,
      .keepalive_time = bgp.keepalive_time != 0 ? bgp.keepalive_time : bgp.hold_time / 3,
      .kernel_table = kBgpTable,
      .log = options.run_dir / kBirdLog,
      .ignored_devices = devices_of_pods(options),
      .announced = view.self->pod_cidrs,
      .next_hops = {},
      .sessions = {}};
  add_next_hops(view, underlay, bgp, config);
  // First, so that a node that is also a configured peer is what the operator says.
  for (const BgpPeer& peer : bgp.peers) add_peer(peer, view, underlay, bgp, config);
  if (bgp.mesh)
    for (const Node& peer : view.peers) add_mesh(*view.self, peer, underlay, bgp, config);
  return config;
}

}  // namespace kubecni
