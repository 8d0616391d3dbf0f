#pragma once

#include "cluster/cluster_view.hpp"
#include "control/nodes/checksum_probe.hpp"
#include "control/nodes/peer_path.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "net/netlink.hpp"
#include "net/vxlan.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace kubecni {

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

  /// Makes it as planned. The error is a phrase that says why there is none; the outcome has
  /// it, too, where it is the kernel's.
  std::expected<Tunnel, std::string> ensure(NetlinkSocket& netlink, const ClusterView& view,
                                            const std::vector<Uplink>& uplinks, Outcome& outcome);

  /// Lets the device leave checksums to the NIC or not, as the operator says or as the
  /// probe finds, for which it asks nodes that `paths` reach through the tunnel.
  void sync_offload(const ClusterView& view, const std::vector<PeerPath>& paths, Outcome& outcome);
  /// What the offload is, and why; empty where there is no tunnel.
  [[nodiscard]] const std::string& offload() const { return offload_; }

 private:
  void probe(const ClusterView& view, const std::vector<PeerPath>& paths, Outcome& outcome);
  void switch_offload(bool on, const std::string& why, Outcome& outcome);

  TunnelOptions options_;
  ChecksumProbe probe_;
  std::string offload_;
  unsigned hasty_rounds_ = 0;  ///< without waiting for the daemon's usual time
};

}  // namespace kubecni
