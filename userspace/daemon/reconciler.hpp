#pragma once

#include "daemon/cluster_view.hpp"
#include "daemon/node_firewall.hpp"
#include "daemon/options.hpp"
#include "daemon/pod_guard.hpp"
#include "daemon/report.hpp"
#include "daemon/tunnel_device.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/link.hpp"
#include "net/netlink.hpp"
#include "state/node_info.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Makes this node equal to a view of the cluster: bridge, settings, firewall,
/// tunnel device, programs, maps and the kernel's routes. Adds before it deletes,
/// and goes on after an error. Runs in the node's namespace.
class Reconciler {
 public:
  /// Errors: those of opening netlink; with --dataplane=ebpf also why the
  /// programs do not load.
  static Result<Reconciler> open(const DaemonOptions& options);

  ReconcileReport run(const ClusterView& view);

  /// Takes away all that run() made for the traffic between nodes and to the outside,
  /// and nothing else: routes, rules, tunnel device, firewall, the programs on the
  /// wires and the maps' content about nodes. Pods keep the bridge and each other.
  ReconcileReport clean_up();

 private:
  Reconciler(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)), tunnel_(options_.tunnel) {}

  void open_dataplane();
  void upgrade_programs();
  void ensure_dataplane(ReconcileReport& report);
  void begin_schema_change(const std::vector<Link>& links, ReconcileReport& report);
  void end_schema_change(const std::vector<Link>& links, ReconcileReport& report);
  void withdraw(const std::vector<Link>& links, ReconcileReport& report);
  void take_off_other_schema(const std::vector<Link>& links, ReconcileReport& report);
  void ensure_settings(ReconcileReport& report);
  void ensure_bridge_of(const ClusterView& view, ReconcileReport& report);
  Result<> tell_plugin(const NodeInfo& info, ReconcileReport& report);
  bool is_guarding_tunnel();
  void sync_firewall(const ClusterView& view, ReconcileReport& report);
  std::optional<Underlay> look_at_underlay(const ClusterView& view, std::vector<Route> routes,
                                           ReconcileReport& report);
  void sync_tunnel_programs(const std::vector<Link>& links, ReconcileReport& report);
  void sync_wires(const std::vector<Link>& links, ReconcileReport& report);
  void sync_cluster_network(const std::vector<Link>& links, ReconcileReport& report);
  void sync_pod_guard(const std::vector<Attachment>& attachments, ReconcileReport& report);
  void sync_attachments(const ClusterView& view, std::vector<Link>& links, ReconcileReport& report);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<EbpfDataplane> dataplane_;
  std::optional<Error> load_error_;
  std::string fallback_reason_;
  std::string upgrade_error_;
  std::string no_conntrack_reason_;
  bool changes_schema_ = false;  ///< pins of another one are there
  bool loaded_beside_conntrack_ = false;
  std::optional<NodeFirewall> firewall_;
  std::optional<PodGuard> pod_guard_;
  bool is_guard_standing_ = false;
  TunnelDevice tunnel_;
};

}  // namespace kubecni
