#pragma once

#include "base/result.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "dataplane/ebpf_dataplane.hpp"
#include "net/netlink.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// Which programs and maps are pinned: loads them, brings them up to date, and goes over from
/// those of another schema. The other controllers attach the programs and fill the maps.
/// Runs in the node's namespace.
class ProgramsController {
 public:
  /// Errors: those of opening netlink; with --dataplane=ebpf also why the programs do not load.
  static Result<ProgramsController> open(const DaemonOptions& options);

  /// Takes what is pinned now: pins may be removed while we run, and made anew by the plugin,
  /// and then what was opened before leads nowhere. With --dataplane=bridge nothing is loaded,
  /// unless pods run the programs of another schema, which nobody else could take over.
  void sync(Outcome& outcome);

  /// Null: the kernel path carries everything.
  [[nodiscard]] EbpfDataplane* dataplane() { return dataplane_ ? &*dataplane_ : nullptr; }
  /// Whether eBPF is to lead to other nodes. With --dataplane=bridge no map may: nobody would
  /// correct it.
  [[nodiscard]] bool carries_nodes() const { return options_.dataplane != "bridge"; }
  /// For pods. On a node that had eBPF before --dataplane=bridge they keep what they have.
  [[nodiscard]] EbpfDataplane* for_pods() {
    return carries_nodes() || changes_schema_ ? dataplane() : nullptr;
  }

  /// Whether pins of another schema are there. The maps of this build have to be filled then
  /// before its programs take the place of the others, so that they find everything as it was.
  [[nodiscard]] bool changes_schema() const { return changes_schema_; }
  void carry_over_flows(Outcome& outcome);

  /// After the other controllers: ends a schema change, and says how it stands.
  void finish(Outcome& outcome);

  /// What of this build is pinned, for cleaning up; null: nothing.
  EbpfDataplane* open_pinned(Outcome& outcome);

 private:
  ProgramsController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  void load();
  void upgrade();
  void sync_loaded(Outcome& outcome);
  void end_schema_change(Outcome& outcome);
  void take_off_other_schema(Outcome& outcome);
  std::vector<Device> list_devices(Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<EbpfDataplane> dataplane_;
  std::optional<Error> load_error_;  ///< why dataplane_ is empty
  std::string upgrade_error_;
  std::string no_conntrack_reason_;
  bool changes_schema_ = false;
  bool loaded_beside_conntrack_ = false;
};

}  // namespace kubecni
