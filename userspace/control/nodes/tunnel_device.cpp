#include "control/nodes/tunnel_device.hpp"

#include "ipam/pool.hpp"
#include "net/link.hpp"
#include "net/offload.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <set>

namespace kubecni {

namespace {

// Peers that are there answer at the first question; others are asked in passing.
constexpr unsigned kHastyRounds = 20;

/// The address of the bridge of a node that has these PodCIDRs.
std::optional<IpAddr> bridge_of(const std::vector<IpNet>& pod_cidrs, int family) {
  for (const IpNet& cidr : first_of_each_family(pod_cidrs)) {
    const auto pool = Pool::of({.subnet = cidr});
    if (cidr.addr.family() == family && pool) return pool->gateway();
  }
  return std::nullopt;
}

/// From our bridge to those of the nodes behind the tunnel.
std::vector<ChecksumProbe::Way> ways_to_ask(const ClusterView& view,
                                            const std::vector<PeerPath>& paths) {
  std::set<std::string> tunnelled;
  for (const PeerPath& path : paths)
    if (path.kind == PathKind::kVxlan) tunnelled.insert(path.node);
  std::vector<ChecksumProbe::Way> ways;
  for (const Node& peer : view.peers) {
    for (const int family : {AF_INET, AF_INET6}) {
      const auto from = view.self ? bridge_of(view.self->pod_cidrs, family) : std::nullopt;
      const auto to = bridge_of(peer.pod_cidrs, family);
      if (tunnelled.contains(peer.name) && from && to) ways.push_back({*from, *to});
    }
  }
  return ways;
}

}  // namespace

unsigned underlay_mtu(const ClusterView& view, const std::vector<Uplink>& uplinks) {
  std::optional<unsigned> smallest;
  for (const Uplink& uplink : uplinks) {
    if (view.self && std::ranges::find(view.self->internal_ips, uplink.net.addr) !=
                         view.self->internal_ips.end())
      smallest = std::min(smallest.value_or(uplink.mtu), uplink.mtu);
  }
  return smallest.value_or(kDefaultMtu);
}

std::expected<VxlanSpec, std::string> plan_tunnel_device(const ClusterView& view,
                                                         const std::vector<Uplink>& uplinks,
                                                         std::uint16_t port) {
  if (!view.self)
    return std::unexpected("this node is not among the usable nodes, so its MAC is not known");
  const unsigned mtu =
      without_vxlan(underlay_mtu(view, uplinks), view.self->internal_ips.front().family());
  const bool has_ipv6_pods = std::ranges::any_of(
      view.self->pod_cidrs, [](const IpNet& cidr) { return !cidr.addr.is_v4(); });
  return VxlanSpec{.name = kTunnelName,
                   .mac = tunnel_mac_of(*view.self),
                   .port = port,
                   .mtu = mtu,
                   .ipv6 = has_ipv6_pods && mtu >= kLeastMtu6};
}

std::expected<Tunnel, std::string> TunnelDevice::ensure(NetlinkSocket& netlink,
                                                        const ClusterView& view,
                                                        const std::vector<Uplink>& uplinks,
                                                        Outcome& outcome) {
  const auto spec = plan_tunnel_device(view, uplinks, options_.port);
  if (!spec) return std::unexpected(spec.error());
  auto before = find_link(netlink, spec->name);
  auto device = ensure_vxlan(netlink, *spec);
  if (!device) {
    outcome.fail(device.error().what);
    // One that works goes on to be used, also if something of it cannot be put right.
    auto there = find_link(netlink, spec->name);
    if (!there || !*there || !(*there)->up || (*there)->kind != "vxlan")
      return std::unexpected(device.error().what);
    device = **there;
  }
  if (!before || !*before || (*before)->ifindex != device->ifindex)
    outcome.changes.push_back("tunnel device " + spec->name + " made, UDP port " +
                              std::to_string(spec->port));
  return Tunnel{{device->ifindex, device->name},
                spec->mac,
                options_.vni,
                options_.port,
                has_tx_checksum_offload(spec->name).value_or(false)};
}

void TunnelDevice::switch_offload(bool on, const std::string& why, Outcome& outcome) {
  offload_ = std::string(on ? "on: " : "off: ") + why;
  outcome.apply(set_tx_checksum_offload(kTunnelName, on),
                "checksum offload of the tunnel is " + offload_);
  // The maps say it, too, with the next round.
  if (has_tx_checksum_offload(kTunnelName).value_or(!on) == on)
    outcome.again_in = std::chrono::milliseconds(0);
}

void TunnelDevice::probe(const ClusterView& view, const std::vector<PeerPath>& paths,
                         Outcome& outcome) {
  const auto ways = ways_to_ask(view, paths);
  offload_ = "on: not tested yet, no node behind the tunnel has answered";
  auto verdict = probe_.step(ways);
  if (!verdict) return outcome.fail(verdict.error().what);
  if (*verdict == ChecksumProbe::Verdict::kBroken)
    switch_offload(false, "packets with checksums by the NIC got lost, those with ours arrived",
                   outcome);
  else if (*verdict == ChecksumProbe::Verdict::kRight)
    offload_ = "on: tested, it works";
  else if (!ways.empty() && hasty_rounds_ < kHastyRounds) {
    ++hasty_rounds_;
    outcome.again_in = ChecksumProbe::kPatience;
  }
}

void TunnelDevice::sync_offload(const ClusterView& view, const std::vector<PeerPath>& paths,
                                Outcome& outcome) {
  offload_.clear();
  auto is_on = has_tx_checksum_offload(kTunnelName);
  if (!is_on) return;  // there is no tunnel, which was said already
  const std::string& wanted = options_.checksum_offload;
  if (wanted == "auto" && *is_on) return probe(view, paths, outcome);
  if (wanted == "auto") {
    // Not tested again: for the time of the test, what is lost would be lost again.
    offload_ =
        "off: found broken, or switched off, before; --vxlan-checksum-offload on switches it on";
    return;
  }
  offload_ = wanted + ": --vxlan-checksum-offload " + wanted;
  if (*is_on != (wanted == "on"))
    switch_offload(wanted == "on", "--vxlan-checksum-offload " + wanted, outcome);
}

}  // namespace kubecni
