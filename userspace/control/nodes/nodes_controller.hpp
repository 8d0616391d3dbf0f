#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "cluster/peer_change.hpp"
#include "control/nodes/desired_state.hpp"
#include "control/nodes/tunnel_device.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// The wanted state, and the kernel's state that the plan was made from.
struct NodesPlan {
  DesiredState desired;
  std::vector<Route> routes;    ///< the kernel's, of everybody
  Underlay underlay;            ///< without these
  unsigned tunnel_ifindex = 0;  ///< 0: there is no tunnel
};

/// How this node and its pods reach other nodes: the tunnel device, the kernel's routes, the
/// maps of nodes, and the programs of the node's own devices. Runs in the node's namespace.
class NodesController {
 public:
  /// Errors: those of opening netlink.
  static Result<NodesController> open(const DaemonOptions& options);

  /// Reads what there is, makes the tunnel device, and plans. Empty when the kernel does not
  /// tell what there is. `detours` are those of Underlay.
  std::optional<NodesPlan> prepare(const ClusterView& view,
                                   std::set<std::pair<std::string, int>> detours, Outcome& outcome);

  /// Makes everything so, and takes the routes out of the plan. `dataplane` is null where eBPF is
  /// not loaded; unless `by_ebpf` it leads to no node afterwards.
  void apply(const ClusterView& view, NodesPlan& plan, EbpfDataplane* dataplane, bool by_ebpf,
             Outcome& outcome);
  /// Does for these nodes alone what apply() would do, between two rounds. It writes what differs
  /// from before, and reads only the ways to new addresses. When all is planned, it asks
  /// `may_write`. False: it has done nothing, since that needs a round: one was not made yet, the
  /// change concerns more than these nodes, or it may not write. Other arguments: as in apply().
  bool follow(const std::vector<PeerChange>& changes, const std::function<bool()>& may_write,
              EbpfDataplane* dataplane, bool by_ebpf, Outcome& outcome);
  /// The maps alone: what a schema change begins with.
  void fill_maps(const DesiredState& desired, EbpfDataplane& dataplane, Outcome& outcome);

  /// Whether from_tunnel judges who sends through the tunnel: it is attached, and knows all
  /// nodes.
  bool is_guarding_tunnel(EbpfDataplane* dataplane);
  /// Whether packets of other nodes need KUBECNI_MARK_REMOTE, as of the last round; before the
  /// first one, as of an earlier daemon.
  bool has_ways_back();
  /// What the checksum offload of the tunnel device is, and why.
  [[nodiscard]] const std::string& offload() const { return tunnel_.offload(); }

  /// Removes all that apply() made. False: the tunnel device may still be there.
  bool clean_up(EbpfDataplane* dataplane, Outcome& outcome);

 private:
  NodesController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)), tunnel_(options_.tunnel) {}

  /// What a round found and planned, as far as follow() needs it.
  struct Round {
    Underlay underlay;    ///< its routes are those of others; follow() finds ways anew
    DesiredState of_all;  ///< wires, mtu and rules
  };
  void remember(NodesPlan& plan);
  std::optional<Underlay> read_underlay(const ClusterView& view, Outcome& outcome);
  void sync_routes(const DesiredState& desired, std::vector<Route> routes, unsigned tunnel_ifindex,
                   Outcome& outcome);
  /// False: nothing was looked at.
  bool sync_hooks(const std::map<std::string, Device>& wires, EbpfDataplane& dataplane,
                  bool by_ebpf, Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  TunnelDevice tunnel_;
  std::optional<Round> last_round_;
  std::optional<bool> has_ways_back_;
};

}  // namespace kubecni
