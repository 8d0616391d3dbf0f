#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/pod_port.hpp"

#include <string>
#include <vector>

namespace kubecni {

/// Who made the node's neighbours for it, to tell them from those of pods: `ip neigh show proto
/// 85`.
inline constexpr std::uint8_t kProbeProtocol = 85;

/// The node's PodCIDRs that have a probe address, with that address.
std::vector<IpNet> probe_nets_of(const std::vector<IpNet>& pod_cidrs);

/// A pod without a container: a namespace with a port on the bridge, or in mode ptp a link of its
/// own, so that what its sockets send and get goes the way of pods' packets. Both end with the
/// process that holds the namespace. `bridge` is null in mode ptp.
class ProbePod {
 public:
  /// Makes it anew in place of what an earlier process left, on the bridge `cluster_bridge`, too.
  /// `nets` are of probe_nets_of().
  /// Runs in the node's namespace. Errors: EADDRINUSE a pod has one of the addresses; EPERM no
  /// CAP_SYS_ADMIN; those of making a veth.
  static Result<ProbePod> make(NetlinkSocket& node, const Link* bridge,
                               const std::string& cluster_bridge, const std::vector<IpNet>& nets,
                               unsigned mtu);

  /// Whether it still is what it has to be for this bridge and these addresses; puts its port
  /// right.
  Result<bool> restore(NetlinkSocket& node, const Link* bridge, const std::vector<IpNet>& nets);

  [[nodiscard]] int netns_fd() const { return netns_.get(); }
  [[nodiscard]] std::string addresses_text() const { return port_.addresses_text(); }

  /// Removes what a process left. Absent is success.
  static Result<bool> remove_left_over(NetlinkSocket& node, const std::string& bridge);

 private:
  Result<bool> restore_on_bridge(NetlinkSocket& node, const Link& host, const Link& bridge);
  ProbePod(UniqueFd netns, PodPort port, std::vector<IpNet> nets)
      : netns_(std::move(netns)), port_(std::move(port)), nets_(std::move(nets)) {}

  UniqueFd netns_;
  PodPort port_;
  std::vector<IpNet> nets_;
};

}  // namespace kubecni
