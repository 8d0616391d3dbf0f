#include "daemon/tunnel_device.hpp"

#include "ipam/pool.hpp"
#include "net/link.hpp"
#include "net/offload.hpp"

#include <algorithm>
#include <optional>

namespace kubecni {

namespace {

/// The address of the bridge of the node that has this PodCIDR.
std::optional<IpAddr> bridge_of(const IpNet& cidr) {
  const auto pool = Pool::of({.subnet = cidr});
  return pool ? std::optional(pool->gateway()) : std::nullopt;
}

/// The first PodCIDR of a family that this node has.
std::optional<IpNet> own_cidr(const DesiredState& desired, int family) {
  for (const auto& [cidr, entry] : desired.cidrs) {
    if (entry.kind == KUBECNI_NODE_LOCAL && cidr.addr.family() == family) return cidr;
  }
  return std::nullopt;
}

/// From our bridge to those of the nodes behind the tunnel.
std::vector<ChecksumProbe::Way> ways_to_ask(const DesiredState& desired) {
  std::vector<ChecksumProbe::Way> ways;
  for (const PeerPath& path : desired.paths) {
    const auto own = own_cidr(desired, path.cidr.addr.family());
    if (path.kind != PathKind::kVxlan || !own) continue;
    const auto from = bridge_of(*own);
    const auto to = bridge_of(path.cidr);
    if (from && to) ways.push_back({*from, *to});
  }
  return ways;
}

void set_offload(bool is_on, bool on, const std::string& why, ReconcileReport& report) {
  report.offload = std::string(on ? "on: " : "off: ") + why;
  if (is_on != on)
    report.apply(set_tx_checksum_offload(kTunnelName, on),
                 "checksum offload of the tunnel is " + report.offload);
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
    return std::unexpected("this node is not among the usable nodes, so that its MAC is not known");
  const int outer_family = view.self->internal_ips.front().family();
  return VxlanSpec{.name = kTunnelName,
                   .mac = tunnel_mac_of(*view.self),
                   .port = port,
                   .mtu = underlay_mtu(view, uplinks) - vxlan_overhead(outer_family)};
}

std::expected<Tunnel, std::string> TunnelDevice::ensure(NetlinkSocket& netlink,
                                                        const ClusterView& view,
                                                        const std::vector<Uplink>& uplinks,
                                                        ReconcileReport& report) {
  const auto spec = plan_tunnel_device(view, uplinks, options_.port);
  if (!spec) return std::unexpected(spec.error());
  auto before = find_link(netlink, spec->name);
  auto device = ensure_vxlan(netlink, *spec);
  if (!device) {
    report.errors.push_back(device.error().what);
    return std::unexpected(device.error().what);
  }
  if (!before || !*before || (*before)->ifindex != device->ifindex)
    report.changes.push_back("tunnel device " + spec->name + " made, UDP port " +
                             std::to_string(spec->port));
  return Tunnel{{device->ifindex, device->name}, spec->mac, options_.vni};
}

void TunnelDevice::probe(ReconcileReport& report) {
  const auto ways = ways_to_ask(report.desired);
  report.offload = "on: not tested yet, no node behind the tunnel has answered";
  auto verdict = probe_.step(ways);
  if (!verdict) return report.errors.push_back(verdict.error().what);
  if (*verdict == ChecksumProbe::Verdict::kBroken)
    set_offload(true, false,
                "what was left to the NIC to compute did not arrive, and what we computed did",
                report);
  else if (*verdict == ChecksumProbe::Verdict::kRight)
    report.offload = "on: tested, it works";
  else if (!ways.empty())
    report.again_in = ChecksumProbe::kPatience;
}

void TunnelDevice::sync_offload(ReconcileReport& report) {
  auto is_on = has_tx_checksum_offload(kTunnelName);
  if (!is_on) return;  // there is no tunnel, which was said already
  const std::string& wanted = options_.checksum_offload;
  if (wanted != "auto")
    set_offload(*is_on, wanted == "on", "--vxlan-checksum-offload " + wanted, report);
  else if (*is_on)
    probe(report);
  else
    report.offload = "off: it was found broken; --vxlan-checksum-offload on switches it on again";
}

}  // namespace kubecni
