#include "daemon/daemon.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "daemon/diagnosis.hpp"
#include "daemon/last_known.hpp"
#include "daemon/readiness.hpp"
#include "daemon/round_pacer.hpp"
#include "daemon/status_file.hpp"
#include "pods/liveness.hpp"
#include "state/files.hpp"

#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <set>
#include <string_view>
#include <utility>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;

// Maps send no notifications: what is removed there comes back after this, and with many
// nodes after a minute at most, or an idle daemon would do nothing else than look.
constexpr std::chrono::seconds kResyncInterval{10};
constexpr std::chrono::seconds kLongestResync{60};
constexpr std::size_t kFewNodes = 500;

std::chrono::milliseconds resync_interval(std::size_t nodes) {
  const auto stretched = std::chrono::milliseconds(kResyncInterval) * nodes / kFewNodes;
  return std::clamp<std::chrono::milliseconds>(stretched, kResyncInterval, kLongestResync);
}

// Between two looks at what the kernel reports: it may report without end.
constexpr std::chrono::milliseconds kListenInterval{50};
constexpr std::chrono::seconds kLockTimeout{5};
// What a pod leaves that ends without a DEL is gone after a minute at most.
constexpr std::chrono::seconds kSweepInterval{30};

/// What this thread has computed so far, whatever else the machine does.
Clock::duration cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

Result<UniqueFd> catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  // Threads that start later, like that of the node source, inherit the mask.
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    return sys_error(error, "block signals");
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return sys_error(errno, "signalfd");
  return fd;
}

/// One daemon a node. Errors: EBUSY another one runs.
Result<FileLock> take_place(const DaemonOptions& options) {
  if (auto made = ensure_directory(options.run_dir); !made) return fail(made);
  auto lock = FileLock::acquire(options.run_dir / kDaemonLock, kLockTimeout);
  if (!lock && lock.error().code == ETIMEDOUT)
    return failure(EBUSY, "another kube-cnid runs for this node: " + lock.error().what);
  return lock;
}

/// Empty: nowhere. Errors: EINVAL.
Result<std::optional<ListenAddress>> metrics_address_of(const DaemonOptions& options) {
  if (options.metrics_address.empty() || options.metrics_address == "off") return std::nullopt;
  auto address = ListenAddress::parse(options.metrics_address);
  if (!address) return fail(address, "--metrics-address");
  return *address;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options) {
  if (auto made = ensure_directory(options.state_dir); !made) return fail(made);
  auto lock = take_place(options);
  if (!lock) return fail(lock);
  auto signals = catch_signals();
  if (!signals) return fail(signals);
  auto monitor = NetlinkMonitor::open();
  if (!monitor) return fail(monitor);
  auto reconciler = Reconciler::open(options);
  if (!reconciler) return fail(reconciler);
  auto cni = CniInstall::open(options);
  if (!cni) return fail(cni);
  auto link = open_cluster_link(options);
  if (!link) return fail(link, "--node-source " + options.node_source);
  auto metrics_address = metrics_address_of(options);
  if (!metrics_address) return fail(metrics_address);
  return std::unique_ptr<Daemon>(
      new Daemon(std::move(options), std::move(*lock), std::move(*signals), std::move(*monitor),
                 std::move(*reconciler), std::move(*cni), std::move(*link), *metrics_address));
}

Result<CleanupReport> Daemon::clean_up(const DaemonOptions& options) {
  auto lock = take_place(options);
  if (!lock) return fail(lock);
  DaemonOptions loading_nothing = options;
  loading_nothing.dataplane = "bridge";
  auto reconciler = Reconciler::open(loading_nothing);
  if (!reconciler) return fail(reconciler);
  return clean_up_node(options, reconciler->clean_up());
}

void Daemon::load_last_known_state() {
  auto loaded = load_last_known(options_.state_dir);
  if (!loaded) return log::warn("last known cluster ignored", {{"err", loaded.error().what}});
  if (!*loaded) return;
  const LastKnown& known = **loaded;
  cluster_known_ = true;
  view_ = view_cluster(known.snapshot, options_.node_name, known.decided, options_.rules);
  log::info("last known cluster loaded", {{"nodes", std::to_string(known.snapshot.nodes.size())}});
}

void Daemon::take_news() {
  while (auto news = source_->take()) {
    // Nodes that are as before may be those that were refused.
    if (*news && ((*news)->has_changed || !source_error_.empty()))
      if (auto seen = look_at_nodes(); !seen) *news = fail(seen);
    if (!*news) {
      source_error_ = news->error().what;
      log::error("nodes not read, the last known ones stay",
                 {{"source", source_->describe()}, {"err", source_error_}});
      continue;
    }
    if (!source_error_.empty()) log::info("nodes read again", {{"source", source_->describe()}});
    source_error_.clear();
  }
}

/// Takes over what the source knows. Errors: ENOENT no node at all.
Result<> Daemon::look_at_nodes() {
  Result<> seen;
  source_->read([&](const NodeSnapshot& nodes) {
    // A cluster without any node cannot have us in it: a wrong cluster, or an
    // API server that has lost its data. Every pod would be cut off.
    if (nodes.nodes.empty() && nodes.skipped.empty()) {
      seen = failure(ENOENT, "the list has no node at all, not even this one");
      return;
    }
    cluster_known_ = has_grown_ = true;
    view_ = view_cluster(nodes, options_.node_name, std::move(view_).incumbents(), options_.rules);
    if (auto saved = save_last_known(options_.state_dir, nodes, view_); !saved)
      log::error("last known cluster not saved", {{"err", saved.error().what}});
  });
  return seen;
}

/// Each error and each skipped node once, as long as it lasts.
void Daemon::log_news(const ReconcileReport& report) {
  for (const auto& change : report.changes) log::info("changed", {{"what", change}});
  std::set<std::string> current;
  const auto is_new = [&](std::string text) {
    const auto [entry, inserted] = current.insert(std::move(text));
    return inserted && !reported_.contains(*entry);
  };
  for (const auto& skipped : {view_.skipped, report.desired.unreachable}) {
    for (const SkippedNode& node : skipped) {
      if (is_new(node.name + ": " + node.reason))
        log::warn("node skipped", {{"node", node.name}, {"err", node.reason}});
    }
  }
  for (const auto& warnings : {view_.warnings, report.desired.warnings}) {
    for (const NodeWarning& warning : warnings) {
      if (is_new(warning.name + ": " + warning.text))
        log::warn("node may be wrong", {{"node", warning.name}, {"what", warning.text}});
    }
  }
  for (const auto& error : report.errors) {
    if (is_new(error)) log::error("not reconciled", {{"err", error}});
  }
  if (!report.fallback_reason.empty() && is_new(report.fallback_reason)) {
    log::warn("kernel path only", {{"reason", report.fallback_reason}});
    log_diagnosis(options_.bpffs);
  }
  if (!report.no_conntrack_reason.empty() && is_new(report.no_conntrack_reason))
    log::warn("conntrack cannot be asked, flows that began on the kernel path stay there",
              {{"reason", report.no_conntrack_reason}});
  for (const auto& warning : report.cni.warnings) {
    if (is_new(warning)) log::warn("plugins of the runtime", {{"what", warning}});
  }
  if (cluster_known_ && !view_.self && is_new("no self"))
    log::warn("this node is not among the usable nodes; its PodCIDR is not known",
              {{"node", options_.node_name}});
  if (!view_.self_outdated.empty() && is_new(view_.self_outdated))
    log::warn("this node goes on as it last was", {{"reason", view_.self_outdated}});
  reported_ = std::move(current);
}

Round Daemon::round_of(const ReconcileReport& report, const std::string& not_ready) const {
  std::set<std::string_view> skipped;
  for (const auto* nodes : {&view_.skipped, &report.desired.unreachable})
    for (const SkippedNode& node : *nodes) skipped.insert(node.name);
  return {.reconciled = cluster_known_,
          .dataplane = report.dataplane,
          .known_nodes = view_.peers.size() + (view_.self ? 1 : 0),
          .skipped_nodes = skipped.size(),
          .changes = report.changes.size(),
          .errors = report.errors.size(),
          .not_ready = not_ready};
}

std::chrono::milliseconds Daemon::reconcile() {
  observer_.ensure_serving();
  observer_.begin_round();
  // Nothing may be deleted before it is known what the cluster is.
  ReconcileReport report;
  if (cluster_known_) report = reconciler_.run(view_);
  const std::string reason = why_not_ready(options_.node_name, view_, report);
  cni_.sync(reason, report);
  log_news(report);
  if (cluster_known_ && status_writer_)
    status_writer_->want({.why_not_ready = reason, .kernel_path_reason = report.fallback_reason});
  if (auto written = write_status(options_.run_dir, options_.node_name, source_->describe(),
                                  source_error_, observer_.describe(), view_, report);
      !written)
    log::error("status not written", {{"err", written.error().what}});
  // Without its list the runtime starts no pod, whatever the node can take.
  observer_.end_round(round_of(report, reason.empty() ? report.cni.pending : reason));
  const auto again_in = report.again_in.value_or(resync_interval(view_.peers.size()));
  report = {};
  // Loading the programs takes 8 MB for a moment, and a run with 5000 nodes 20, which
  // malloc would keep. What only a start or a large change needs goes, too.
  if (std::exchange(has_grown_, false))
    give_back_memory();
  else
    ::malloc_trim(0);
  return again_in;
}

/// Removes what pods left that ended without a DEL.
void Daemon::sweep() {
  has_grown_ = true;
  const PodPaths paths{options_.state_dir, options_.bpffs};
  auto networks = list_networks(paths);
  if (!networks) return log::error("not swept", {{"err", networks.error().what}});
  for (const auto& network : *networks) {
    auto removed = reclaim_gone(paths, network);
    if (!removed)
      log::error("not swept", {{"network", network}, {"err", removed.error().what}});
    else if (*removed != 0)
      log::info("removed what pods left that ended without DEL",
                {{"network", network}, {"count", std::to_string(*removed)}});
  }
}

/// Whether what the kernel or a folder reports asks for a round.
bool Daemon::hear_changes(bool of_kernel, bool of_folders) {
  if (of_folders) cni_.drain();
  return (of_kernel && monitor_.take_changes()) || of_folders;
}

Result<> Daemon::run() {
  log::info("started", {{"node", options_.node_name}, {"source", source_->describe()}});
  load_last_known_state();
  Clock::time_point next_run = Clock::now() + reconcile();
  sweep();
  Clock::time_point next_sweep = Clock::now() + kSweepInterval;
  RoundPacer pacer(Clock::now());
  bool is_paid = false;  // the kernel, or a folder, asked for the next round
  Clock::time_point listen_from = Clock::now();
  std::array<pollfd, 4> events{
      pollfd{.fd = signals_.get(), .events = POLLIN}, pollfd{.fd = source_->fd(), .events = POLLIN},
      pollfd{.fd = monitor_.fd(), .events = POLLIN}, pollfd{.fd = cni_.fd(), .events = POLLIN}};
  auto& [signal, news, kernel, folders] = events;
  for (;;) {
    const bool listens = Clock::now() >= listen_from;
    kernel.fd = listens ? monitor_.fd() : -1;
    const auto wake_at = listens ? next_run : std::min(next_run, listen_from);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake_at - Clock::now());
    const int ready = ::poll(events.data(), events.size(),
                             static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    if (ready < 0 && errno != EINTR) return sys_error(errno, "poll");
    if (signal.revents != 0) break;
    if (hear_changes(kernel.revents != 0, folders.revents != 0)) {
      next_run = std::min(next_run, pacer.after_notification(Clock::now()));
      is_paid = true;
    }
    if (kernel.revents != 0) listen_from = Clock::now() + kListenInterval;
    if (news.revents != 0) {
      take_news();
      next_run = Clock::now();
    }
    if (Clock::now() < next_run) continue;
    take_news();  // a source may have nothing to wake us with
    if (Clock::now() >= next_sweep) {
      sweep();
      next_sweep = Clock::now() + kSweepInterval;
    }
    const auto used_before = cpu_time();
    const auto again_in = reconcile();
    if (std::exchange(is_paid, false)) pacer.pay(Clock::now(), cpu_time() - used_before);
    next_run = Clock::now() + again_in;
  }
  log::info("stopped; everything stays as it is");
  return {};
}

}  // namespace kubecni
