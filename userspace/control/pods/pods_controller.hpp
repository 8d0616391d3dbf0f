#pragma once

#include "base/result.hpp"
#include "cluster/cluster_view.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "control/pods/host_port_sync.hpp"
#include "control/pods/lost_records.hpp"
#include "control/pods/pod_guard.hpp"
#include "control/pods/pod_sync.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"
#include "state/attachment.hpp"

#include <optional>
#include <utility>

namespace kubecni {

/// The pods that there are by the plugin's records: their places on the bridge, their entries
/// in the node's tables and in the maps, and their programs. Removes what belongs to no pod any
/// more. Runs in the node's namespace.
class PodsController {
 public:
  /// Errors: those of opening netlink.
  static Result<PodsController> open(const DaemonOptions& options);

  /// `dataplane` is null where pods go by the kernel path alone.
  /// `policed` says which pods netfilter has to judge.
  void sync(const ClusterView& view, EbpfDataplane* dataplane, const PolicedPods& policed,
            Outcome& outcome);
  /// The guard alone, for pods that have come since.
  void guard(Outcome& outcome);
  /// The maps alone: what a schema change begins with.
  void fill_maps(EbpfDataplane& dataplane, const PolicedPods& policed, Outcome& outcome);
  /// Removes what pods left that ended without a DEL; now and then is enough.
  void sweep(Outcome& outcome);

  /// Removes the table that guards the pods on the kernel path, and their host ports.
  void clean_up(Outcome& outcome);

 private:
  PodsController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)),
        netlink_(std::move(netlink)),
        lost_records_(options_.state_dir) {}

  void sync_guard(std::vector<Attachment> attachments, Outcome& outcome);
  void sync_host_ports(const AttachmentStore& store, const std::vector<Attachment>& attachments,
                       Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<PodGuard> guard_;
  std::optional<HostPortSync> host_ports_;
  LostRecords lost_records_;
};

}  // namespace kubecni
