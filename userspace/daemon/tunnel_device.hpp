#pragma once

#include "config/settings.hpp"
#include "daemon/checksum_probe.hpp"
#include "daemon/cluster_view.hpp"
#include "daemon/peer_path.hpp"
#include "daemon/report.hpp"
#include "net/netlink.hpp"
#include "net/vxlan.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace kubecni {

/// What the operator says about the tunnel.
struct TunnelOptions {
  std::uint16_t port = default_number("vxlanPort");  ///< UDP
  std::uint32_t vni = default_number("vxlanVni");
  std::string checksum_offload{
      default_of("vxlanChecksumOffload")};  ///< "auto": as the probe finds; "on", "off"
};

/// The smallest MTU of the devices that have an address of this node, bytes.
unsigned underlay_mtu(const ClusterView& view, const std::vector<Uplink>& uplinks);

/// The tunnel device that this node has to have, or why it cannot have one. It is
/// there whatever --routing says, since each peer chooses by itself how it sends to
/// us. Its MTU is that of the underlay without the overhead. Pure.
std::expected<VxlanSpec, std::string> plan_tunnel_device(const ClusterView& view,
                                                         const std::vector<Uplink>& uplinks,
                                                         std::uint16_t port);

/// This node's tunnel device, and what is known of its checksum offload.
class TunnelDevice {
 public:
  explicit TunnelDevice(TunnelOptions options) : options_(std::move(options)) {}

  /// Makes it as planned. The error is a phrase that says why there is none; it is in
  /// the report, too, where it is the kernel's.
  std::expected<Tunnel, std::string> ensure(NetlinkSocket& netlink, const ClusterView& view,
                                            const std::vector<Uplink>& uplinks,
                                            ReconcileReport& report);

  /// Lets the device leave checksums to the NIC or not, as the operator says or as the
  /// probe finds, for which it asks nodes of `report.desired` that are behind the tunnel.
  void sync_offload(const ClusterView& view, ReconcileReport& report);

 private:
  void probe(const ClusterView& view, ReconcileReport& report);

  TunnelOptions options_;
  ChecksumProbe probe_;
  unsigned hasty_rounds_ = 0;  ///< without waiting for the daemon's usual time
};

}  // namespace kubecni
