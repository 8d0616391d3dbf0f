#include "daemon/desired_state.hpp"

#include <algorithm>
#include <optional>

namespace kubecni {

namespace {

constexpr unsigned kDefaultMtu = 1500;
constexpr unsigned kLoopbackIfindex = 1;

kubecni_node local_entry() {
  kubecni_node entry{};
  entry.kind = KUBECNI_NODE_LOCAL;
  return entry;
}

kubecni_node direct_entry(const PeerPath& path) {
  kubecni_node entry{};
  entry.kind = KUBECNI_NODE_DIRECT;
  entry.egress_ifindex = path.device.ifindex;
  entry.mtu = path.mtu;
  entry.next_hop_family = static_cast<__u32>(path.next_hop.family());
  std::copy_n(path.next_hop.data(), path.next_hop.bytes(), entry.next_hop);
  return entry;
}

/// Whether `address` can be that of another host in the network of `uplink`.
bool is_neighbour(const IpAddr& address, const Uplink& uplink) {
  const IpNet& net = uplink.net;
  if (!net.contains(address) || address == net.addr) return false;
  if (net.prefix >= 31) return true;  // no network and broadcast address, RFC 3021
  return address != net.network().addr &&
         address != net.network().addr.plus((1ull << (32 - net.prefix)) - 1);
}

/// The first address of the peer that is on a link; there the most specific
/// network counts, as in routing.
std::optional<PeerPath> find_path(const Node& peer, const std::vector<Uplink>& uplinks) {
  for (const IpAddr& address : peer.internal_ips) {
    const Uplink* best = nullptr;
    for (const Uplink& uplink : uplinks) {
      if (is_neighbour(address, uplink) && (!best || uplink.net.prefix > best->net.prefix))
        best = &uplink;
    }
    if (best)
      return PeerPath{.node = peer.name,
                      .cidr = {},
                      .next_hop = address,
                      .device = best->device,
                      .mtu = best->mtu};
  }
  return std::nullopt;
}

std::string addresses_of(const Node& node) {
  std::string text;
  for (const IpAddr& address : node.internal_ips)
    text += (text.empty() ? "" : ", ") + address.str();
  return text;
}

/// The devices of the node's own addresses are wires even without a peer, and
/// the smallest MTU on the way to others is that of the pods.
void add_own_wires(const ClusterView& view, const std::vector<Uplink>& uplinks,
                   DesiredState& state) {
  if (!view.self) return;
  for (const Uplink& uplink : uplinks) {
    if (std::ranges::find(view.self->internal_ips, uplink.net.addr) !=
        view.self->internal_ips.end())
      state.wires.emplace(uplink.device.name, uplink.device);
  }
  for (const IpNet& cidr : view.self->pod_cidrs) state.cidrs.emplace(cidr, local_entry());
}

unsigned smallest_mtu(const DesiredState& state, const std::vector<Uplink>& uplinks) {
  std::optional<unsigned> smallest;
  for (const Uplink& uplink : uplinks) {
    if (state.wires.contains(uplink.device.name))
      smallest = std::min(smallest.value_or(uplink.mtu), uplink.mtu);
  }
  return smallest.value_or(kDefaultMtu);
}

}  // namespace

std::vector<Uplink> find_uplinks(const std::vector<Link>& links,
                                 const std::vector<LinkAddress>& addresses,
                                 const std::string& bridge) {
  std::vector<Uplink> uplinks;
  for (const LinkAddress& address : addresses) {
    const auto link = std::ranges::find(links, address.ifindex, &Link::ifindex);
    if (!address.net.addr.is_v4() || link == links.end() || !link->up || link->name == bridge ||
        link->ifindex == kLoopbackIfindex)
      continue;
    uplinks.push_back({{link->ifindex, link->name}, address.net, link->mtu});
  }
  return uplinks;
}

DesiredState plan_desired_state(const ClusterView& view, const std::vector<Uplink>& uplinks) {
  DesiredState state;
  add_own_wires(view, uplinks, state);
  for (const Node& peer : view.peers) {
    auto path = find_path(peer, uplinks);
    if (!path) {
      state.unreachable.push_back(
          {peer.name,
           "none of its addresses (" + addresses_of(peer) +
               ") is that of another host on a link of this node; direct routing needs one"});
      continue;
    }
    state.wires.emplace(path->device.name, path->device);
    for (const IpNet& cidr : peer.pod_cidrs) {
      path->cidr = cidr;
      state.cidrs.emplace(cidr, direct_entry(*path));
      state.routes.emplace(cidr, Route{.dst = cidr,
                                       .gateway = path->next_hop,
                                       .ifindex = path->device.ifindex,
                                       .protocol = kRouteProtocol});
      state.paths.push_back(*path);
    }
  }
  state.mtu = smallest_mtu(state, uplinks);
  return state;
}

}  // namespace kubecni
