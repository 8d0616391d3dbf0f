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

/// What an ADD needs of this node: the bridge with the addresses of the gateways, the settings
/// of the kernel path, and what the plugin is told. Runs in the node's namespace.
class BridgeController {
 public:
  /// Errors: those of opening netlink.
  static Result<BridgeController> open(const DaemonOptions& options);

  /// `mtu` is that of pods, bytes; empty: nobody knows it, and the bridge stays as it is.
  /// `uplinks` are the devices by which pods reach other nodes: each has to forward.
  /// `dataplane` is null where eBPF is not loaded. Says kNotReady while the bridge, or what the
  /// plugin is told, is not as it should be.
  void sync(const ClusterView& view, std::optional<unsigned> mtu,
            const std::set<std::string>& uplinks, EbpfDataplane* dataplane, Outcome& outcome);

 private:
  BridgeController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  Result<> sync_bridge(const Node& self, unsigned mtu, Outcome& outcome);
  void sync_cluster_network(EbpfDataplane& dataplane, Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
};

}  // namespace kubecni
