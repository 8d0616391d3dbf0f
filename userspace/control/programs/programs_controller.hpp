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

/// Keeps the pinned programs and maps: loads them, brings them up to date, and replaces those of
/// another schema. The other controllers attach the programs and fill the maps. Runs in the node's
/// namespace.
class ProgramsController {
 public:
  /// Errors: those of opening netlink; ENOTSUP the programs cannot be loaded, with
  /// --dataplane=ebpf.
  static Result<ProgramsController> open(const DaemonOptions& options);

  /// Opens what is pinned now, and loads what is missing: somebody may remove the pins, and the
  /// plugin then makes new ones. With --dataplane=bridge, loads nothing, unless programs of another
  /// schema have to be replaced.
  void sync(Outcome& outcome);

  /// Null: eBPF is not loaded, and the kernel path carries everything.
  [[nodiscard]] EbpfDataplane* dataplane() { return dataplane_ ? &*dataplane_ : nullptr; }
  /// Whether eBPF may carry traffic to other nodes. With --dataplane=bridge it may not: nobody
  /// would correct the maps.
  [[nodiscard]] bool carries_nodes() const { return options_.dataplane != "bridge"; }
  /// The dataplane for the pods controller. Null with --dataplane=bridge: pods keep what they have.
  [[nodiscard]] EbpfDataplane* for_pods() {
    return carries_nodes() || changes_schema_ ? dataplane() : nullptr;
  }

  /// Whether there are pins of another schema. Then the maps of this build have to be filled before
  /// its programs replace the others.
  [[nodiscard]] bool changes_schema() const { return changes_schema_; }
  void carry_over_flows(Outcome& outcome);

  /// Call it after the other controllers. Ends a schema change, and reports the state.
  void finish(Outcome& outcome);

  /// Opens what is pinned, for cleaning up; null: nothing is pinned.
  EbpfDataplane* open_pinned(Outcome& outcome);

 private:
  ProgramsController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  void load();
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
