#pragma once

#include "base/file_lock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "daemon/cleanup.hpp"
#include "daemon/cluster_link.hpp"
#include "daemon/cluster_view.hpp"
#include "daemon/cni_install.hpp"
#include "daemon/observer.hpp"
#include "daemon/options.hpp"
#include "daemon/reconciler.hpp"
#include "net/monitor.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace kubecni {

/// kube-cnid: a loop that looks again when the source of nodes, the kernel or
/// the clock says so, and always does the same then. Events carry no content.
class Daemon {
 public:
  /// Errors: EBUSY another daemon has this run folder; those of the source
  /// and of Reconciler::open().
  static Result<std::unique_ptr<Daemon>> start(DaemonOptions options);

  /// clean_up_node(), in the place of the daemon. Errors: EBUSY a daemon runs,
  /// which would bring everything back.
  static Result<CleanupReport> clean_up(const DaemonOptions& options);

  /// Until SIGTERM or SIGINT, which remove nothing.
  Result<> run();

 private:
  Daemon(DaemonOptions options, FileLock lock, UniqueFd signals, NetlinkMonitor monitor,
         Reconciler reconciler, CniInstall cni, ClusterLink link,
         std::optional<ListenAddress> metrics_address)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        signals_(std::move(signals)),
        monitor_(std::move(monitor)),
        reconciler_(std::move(reconciler)),
        cni_(std::move(cni)),
        status_writer_(std::move(link.status_writer)),
        source_(std::move(link.source)),
        observer_({options_.state_dir, options_.run_dir, options_.bpffs}, metrics_address,
                  [&nodes = *source_] { return nodes.status(); }) {}

  void load_last_known_state();
  void take_news();
  Result<> look_at_nodes();
  bool hear_changes(bool of_kernel, bool of_folders);
  /// When to look again at the latest.
  std::chrono::milliseconds reconcile();
  [[nodiscard]] Round round_of(const ReconcileReport& report, const std::string& not_ready) const;
  void sweep();
  void log_news(const ReconcileReport& report);

  DaemonOptions options_;
  FileLock lock_;
  UniqueFd signals_;
  NetlinkMonitor monitor_;
  Reconciler reconciler_;
  CniInstall cni_;
  std::unique_ptr<NodeStatusWriter> status_writer_;  ///< null: the nodes come from a file
  std::unique_ptr<NodeSource> source_;
  Observer observer_;

  bool cluster_known_ = false;
  bool has_grown_ = true;  ///< since memory was given back
  ClusterView view_;
  std::string source_error_;
  std::set<std::string> reported_;  // errors, warnings and skipped nodes of the last run
};

}  // namespace kubecni
