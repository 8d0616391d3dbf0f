#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"

#include <optional>
#include <set>
#include <string>
#include <utility>

namespace kubecni {

/// Prepares what an ADD needs of this node: the bridge with the gateways' addresses (none in mode
/// ptp), the kernel's settings, and the file from which the plugin learns about the node. Runs in
/// the node's namespace.
class BridgeController {
 public:
  /// Errors: those of opening netlink.
  static Result<BridgeController> open(const DaemonOptions& options);

  /// `mtu`: of pods, bytes; empty: not known, and the bridge stays as it is. `uplinks`: the devices
  /// by which pods reach other nodes; each has to forward. `dataplane`: null if eBPF is not loaded.
  /// Reports kNotReady while the bridge, or the file for the plugin, is not as it should be.
  void sync(const ClusterView& view, std::optional<unsigned> mtu,
            const std::set<std::string>& uplinks, EbpfDataplane* dataplane, Outcome& outcome);

 private:
  BridgeController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  Result<> sync_node(const Node& self, unsigned mtu, Outcome& outcome);
  Result<> sync_bridge(const std::vector<IpNet>& gateways, unsigned mtu, Outcome& outcome);
  Result<unsigned> find_cluster_network();
  void sync_node_config(EbpfDataplane& dataplane, Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
};

}  // namespace kubecni
