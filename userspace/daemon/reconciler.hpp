#pragma once

#include "daemon/cluster_view.hpp"
#include "daemon/desired_state.hpp"
#include "daemon/options.hpp"
#include "dataplane/attachment.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// What one run found and did.
struct ReconcileReport {
  DesiredState desired;
  std::string dataplane;        ///< "ebpf" or "bridge"
  std::string fallback_reason;  ///< why "bridge", unless it was asked for
  std::vector<std::string> changes;
  std::vector<std::string> errors;
};

/// Makes this node equal to a view of the cluster: bridge, settings, programs
/// on the wires, the map node_cidrs4 and the kernel's routes. Adds before it
/// deletes, and goes on after an error. Runs in the node's namespace.
class Reconciler {
 public:
  /// Errors: those of opening netlink; with --dataplane=ebpf also why the
  /// programs do not load.
  static Result<Reconciler> open(const DaemonOptions& options);

  ReconcileReport run(const ClusterView& view);

 private:
  Reconciler(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  void open_dataplane();
  void ensure_dataplane(ReconcileReport& report);
  void withdraw(const std::vector<Link>& links, ReconcileReport& report);
  void ensure_settings(ReconcileReport& report);
  void ensure_bridge_of(const ClusterView& view, ReconcileReport& report);
  void sync_wires(const std::vector<Link>& links, ReconcileReport& report);
  void sync_pods(const std::vector<Link>& links, ReconcileReport& report);
  Result<bool> restore_pod(const AttachmentStore& attachments, const Attachment& attachment,
                           const PodEndpoint& pod);
  void sync_map(ReconcileReport& report);
  void sync_routes(ReconcileReport& report);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<EbpfDataplane> dataplane_;
  std::string fallback_reason_;
  std::string upgrade_error_;
};

}  // namespace kubecni
