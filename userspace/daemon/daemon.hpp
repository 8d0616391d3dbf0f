#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "control/options.hpp"
#include "daemon/cleanup.hpp"
#include "daemon/cluster_follower.hpp"
#include "daemon/cluster_link.hpp"
#include "daemon/controllers.hpp"
#include "daemon/observer.hpp"
#include "daemon/place.hpp"
#include "daemon/reporter.hpp"
#include "net/monitor.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace kubecni {

/// kube-cnid: a loop that looks again when the source of nodes, the kernel or
/// the clock says so, and always does the same then. Events carry no content.
class Daemon {
 public:
  /// Errors: EBUSY another daemon has this run folder, or runs in this namespace; those of the
  /// source and of Controllers::open().
  static Result<std::unique_ptr<Daemon>> start(DaemonOptions options);

  /// clean_up_node(), in the place of the daemon. Errors: EBUSY a daemon runs,
  /// which would bring everything back.
  static Result<CleanupReport> clean_up(const DaemonOptions& options);

  /// Until SIGTERM or SIGINT, which remove nothing.
  Result<> run();

 private:
  Daemon(DaemonOptions options, DaemonPlace place, UniqueFd signals, NetlinkMonitor monitor,
         Controllers controllers, ClusterLink link, std::optional<ListenAddress> metrics_address)
      : options_(std::move(options)),
        place_(std::move(place)),
        signals_(std::move(signals)),
        monitor_(std::move(monitor)),
        controllers_(std::move(controllers)),
        status_writer_(std::move(link.status_writer)),
        cluster_(options_, std::move(link.source)),
        observer_({options_.state_dir, options_.run_dir, options_.bpffs}, metrics_address,
                  [this] { return cluster_.status(); }),
        reporter_(options_, observer_, status_writer_.get()) {}

  void keep_place();
  bool hear_changes(bool of_kernel, bool of_folders);
  /// When to look again at the latest.
  std::chrono::milliseconds reconcile();

  DaemonOptions options_;
  DaemonPlace place_;
  std::string place_error_;
  UniqueFd signals_;
  NetlinkMonitor monitor_;
  Controllers controllers_;
  std::unique_ptr<NodeStatusWriter> status_writer_;  ///< null: the nodes come from a file
  ClusterFollower cluster_;
  Observer observer_;
  Reporter reporter_;
  std::chrono::steady_clock::time_point give_back_at_{};
};

}  // namespace kubecni
