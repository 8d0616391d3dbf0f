#include "daemon/daemon.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "daemon/round_pacer.hpp"
#include "state/files.hpp"

#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
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
// What sweeps and other rare work need for a moment goes after this at the latest.
constexpr std::chrono::seconds kGiveBackInterval{30};

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
  auto controllers = Controllers::open(options);
  if (!controllers) return fail(controllers);
  auto link = open_cluster_link(options);
  if (!link) return fail(link, "--node-source " + options.node_source);
  auto metrics_address = metrics_address_of(options);
  if (!metrics_address) return fail(metrics_address);
  return std::unique_ptr<Daemon>(
      new Daemon(std::move(options), std::move(*lock), std::move(*signals), std::move(*monitor),
                 std::move(*controllers), std::move(*link), *metrics_address));
}

Result<CleanupReport> Daemon::clean_up(const DaemonOptions& options) {
  auto lock = take_place(options);
  if (!lock) return fail(lock);
  DaemonOptions loading_nothing = options;
  loading_nothing.dataplane = "bridge";
  auto controllers = Controllers::open(loading_nothing);
  if (!controllers) return fail(controllers);
  return clean_up_node(options, controllers->clean_up());
}

std::chrono::milliseconds Daemon::reconcile() {
  observer_.ensure_serving();
  observer_.begin_round();
  RoundReport report = controllers_.run(cluster_.view());
  reporter_.tell(report, {cluster_.describe(), cluster_.error()});
  const auto usual = resync_interval(report.known_nodes);
  const auto again_in = std::min(report.again_in().value_or(usual), usual);
  report = {};
  // Loading the programs takes 8 MB for a moment, and a run with 5000 nodes 20, which
  // malloc would keep. What only a start or a large change needs goes, too.
  const auto now = Clock::now();
  if (cluster_.take_has_grown() || now >= give_back_at_) {
    give_back_memory();
    give_back_at_ = now + kGiveBackInterval;
  } else {
    ::malloc_trim(0);
  }
  return again_in;
}

/// Whether what the kernel or a folder reports asks for a round.
bool Daemon::hear_changes(bool of_kernel, bool of_folders) {
  if (of_folders) controllers_.drain();
  return (of_kernel && monitor_.take_changes()) || of_folders;
}

Result<> Daemon::run() {
  log::info("started", {{"node", options_.node_name}, {"source", cluster_.describe()}});
  cluster_.load_last_known();
  Clock::time_point next_run = Clock::now() + reconcile();
  RoundPacer pacer(Clock::now());
  bool is_paid = false;  // the kernel, or a folder, asked for the next round
  Clock::time_point listen_from = Clock::now();
  std::array<pollfd, 5> events{
      pollfd{.fd = signals_.get(), .events = POLLIN}, pollfd{.fd = cluster_.fd(), .events = POLLIN},
      pollfd{.fd = monitor_.fd(), .events = POLLIN},
      pollfd{.fd = controllers_.fd(), .events = POLLIN}, pollfd{.fd = -1, .events = POLLIN}};
  auto& [signal, news, kernel, folders, probes] = events;
  for (;;) {
    const bool listens = Clock::now() >= listen_from;
    kernel.fd = listens ? monitor_.fd() : -1;
    probes.fd = controllers_.probe_fd();
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
      cluster_.take_news();
      next_run = Clock::now();
    }
    if (probes.revents != 0) {
      controllers_.take_probe_news();
      next_run = std::min(next_run, pacer.after_notification(Clock::now()));
      is_paid = true;
    }
    if (Clock::now() < next_run) continue;
    cluster_.take_news();  // a source may have nothing to wake us with
    const auto used_before = cpu_time();
    const auto again_in = reconcile();
    if (std::exchange(is_paid, false)) pacer.pay(Clock::now(), cpu_time() - used_before);
    next_run = Clock::now() + again_in;
  }
  log::info("stopped; everything stays as it is");
  return {};
}

}  // namespace kubecni
