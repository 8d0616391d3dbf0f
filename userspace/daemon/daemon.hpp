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
#include "daemon/policy_follower.hpp"
#include "daemon/reporter.hpp"
#include "net/ipsec.hpp"
#include "net/monitor.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace kubecni {

/// kube-cnid: a loop. The source of nodes, the kernel or the clock starts a round, and every round
/// does the same. Events carry no content.
class Daemon {
 public:
  /// Errors: EBUSY another daemon has this run folder, or runs in this namespace; those of the
  /// source and of Controllers::open().
  static Result<std::unique_ptr<Daemon>> start(DaemonOptions options);

  /// Removes what daemon and plugin made: see clean_up_node(). Errors: EBUSY a daemon runs, and
  /// would make everything again.
  static Result<CleanupReport> clean_up(const DaemonOptions& options);

  /// Runs until SIGTERM or SIGINT, which remove nothing.
  Result<> run();

 private:
  Daemon(DaemonOptions options, DaemonPlace place, UniqueFd signals, NetlinkMonitor monitor,
         IpsecMonitor ipsec, Controllers controllers, ClusterLink link,
         const Observer::Addresses& addresses)
      : options_(std::move(options)),
        place_(std::move(place)),
        signals_(std::move(signals)),
        monitor_(std::move(monitor)),
        ipsec_(std::move(ipsec)),
        controllers_(std::move(controllers)),
        status_writer_(std::move(link.status_writer)),
        policies_(std::move(link.policies)),
        cluster_(options_, std::move(link.source)),
        observer_({options_.state_dir, options_.run_dir, options_.bpffs}, addresses,
                  [this] { return cluster_.status(); }),
        reporter_(options_, observer_, status_writer_.get()) {}

  void keep_place();
  bool hear_changes(bool of_kernel, bool of_ipsec, bool of_folders);
  /// Both change the policies' table for what has changed. Result: whether that was all; else a
  /// round has to look at it.
  bool catch_up_policies();
  bool follow_policies();
  /// Likewise for routes and maps of the nodes that have changed.
  bool follow_nodes();
  /// Runs one round. Result: when the next one is due.
  std::chrono::milliseconds reconcile();

  DaemonOptions options_;
  DaemonPlace place_;
  std::string place_error_;
  UniqueFd signals_;
  NetlinkMonitor monitor_;
  IpsecMonitor ipsec_;
  Controllers controllers_;
  std::unique_ptr<NodeStatusWriter> status_writer_;  ///< null: the nodes come from a file
  PolicyFollower policies_;  ///< the cluster's source fills it, and has to end first
  ClusterFollower cluster_;
  Observer observer_;
  Reporter reporter_;
  std::chrono::steady_clock::time_point give_back_at_{};
};

}  // namespace kubecni
