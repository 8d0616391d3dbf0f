#include "daemon/daemon.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "daemon/round_pacer.hpp"

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

// Maps send no notifications, so what is missing in them comes back after this interval. It is
// longer in large clusters, where a round costs more, but never longer than a minute.
constexpr std::chrono::seconds kResyncInterval{10};
constexpr std::chrono::seconds kLongestResync{60};
constexpr std::size_t kFewNodes = 500;

std::chrono::milliseconds resync_interval(std::size_t nodes) {
  const auto stretched = std::chrono::milliseconds(kResyncInterval) * nodes / kFewNodes;
  return std::clamp<std::chrono::milliseconds>(stretched, kResyncInterval, kLongestResync);
}

// Time between two reads of the kernel's notifications, of which there may be any number.
constexpr std::chrono::milliseconds kListenInterval{50};
// The same for those of nftables, of which other programs cause many.
constexpr std::chrono::milliseconds kHearTableInterval{10};
// Policies are to be in force soon, and what that costs may be a quarter of a core.
constexpr std::chrono::milliseconds kPolicySettleTime{10};
constexpr int kPolicyShare = 4;
// Memory that rare work needed for a moment is given back after this time at the latest.
constexpr std::chrono::seconds kGiveBackInterval{30};

/// The CPU time of this thread so far.
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

/// Empty: nowhere. Errors: EINVAL.
Result<std::optional<ListenAddress>> listen_address_in(const std::string& text,
                                                       const char* option) {
  if (text.empty() || text == "off") return std::nullopt;
  auto address = ListenAddress::parse(text);
  if (!address) return fail(address, option);
  return *address;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options) {
  if (auto made = ensure_directory(options.state_dir); !made) return fail(made);
  auto place = DaemonPlace::take(options.run_dir);
  if (!place) return fail(place);
  auto signals = catch_signals();
  if (!signals) return fail(signals);
  auto monitor = NetlinkMonitor::open();
  if (!monitor) return fail(monitor);
  auto ipsec = IpsecMonitor::open();
  if (!ipsec) return fail(ipsec);
  auto controllers = Controllers::open(options);
  if (!controllers) return fail(controllers);
  auto link = open_cluster_link(options);
  if (!link) return fail(link, "--node-source " + options.node_source);
  auto metrics = listen_address_in(options.metrics_address, "--metrics-address");
  if (!metrics) return fail(metrics);
  auto health = listen_address_in(options.health_address, "--health-address");
  if (!health) return fail(health);
  return std::unique_ptr<Daemon>(new Daemon(
      std::move(options), std::move(*place), std::move(*signals), std::move(*monitor),
      std::move(*ipsec), std::move(*controllers), std::move(*link), {*metrics, *health}));
}

Result<CleanupReport> Daemon::clean_up(const DaemonOptions& options) {
  auto place = DaemonPlace::take(options.run_dir);
  if (!place) return fail(place);
  DaemonOptions loading_nothing = options;
  loading_nothing.dataplane = "bridge";
  auto controllers = Controllers::open(loading_nothing);
  if (!controllers) return fail(controllers);
  return clean_up_node(options, controllers->clean_up());
}

/// Before anything writes into the run folder.
void Daemon::keep_place() {
  auto kept = place_.keep();
  const std::string error = kept ? "" : kept.error().what;
  if (kept && *kept) log::warn("the run folder's lock was removed; it is made anew");
  if (!error.empty() && error != place_error_)
    log::error("the run folder's lock was removed, and cannot be made anew", {{"err", error}});
  place_error_ = error;
}

std::chrono::milliseconds Daemon::reconcile() {
  keep_place();
  observer_.ensure_serving();
  observer_.begin_round();
  RoundReport report = controllers_.run(cluster_.view(), policies_.view());
  reporter_.tell(report, {cluster_.describe(), cluster_.error()});
  const auto usual = resync_interval(report.known_nodes);
  const auto again_in = std::min(report.again_in().value_or(usual), usual);
  report = {};
  // malloc would keep memory that is needed only for a moment: 8 MB to load the programs, 20 MB for
  // a round with 5000 nodes.
  const auto now = Clock::now();
  if (cluster_.take_has_grown() || now >= give_back_at_) {
    give_back_memory();
    give_back_at_ = now + kGiveBackInterval;
  } else {
    ::malloc_trim(0);
  }
  return again_in;
}

/// Whether news of the kernel or of a folder ask for a round.
bool Daemon::hear_changes(bool of_kernel, bool of_ipsec, bool of_folders) {
  if (of_folders) controllers_.drain();
  const bool has_ipsec = of_ipsec && ipsec_.take_changes();
  return (of_kernel && monitor_.take_changes()) || has_ipsec || of_folders;
}

/// A pod that comes waits for its policies, and while a table is missing, nothing is denied.
bool Daemon::catch_up_policies() {
  const Outcome outcome = controllers_.catch_up_policies();
  Reporter::tell_changes(outcome);
  return outcome.texts_of(ConditionKind::kFailed).empty();
}

/// A round looks at everything, and takes long in a large cluster.
bool Daemon::follow_policies() {
  policies_.take_news();
  Outcome outcome;
  const bool has_followed = controllers_.follow_policies(policies_.view(), outcome);
  Reporter::tell_changes(outcome);
  return has_followed && outcome.texts_of(ConditionKind::kFailed).empty();
}

/// The round that comes after it does the rest: what is left in netfilter's sets, probes, status,
/// what is on disk.
bool Daemon::follow_nodes() {
  const auto changes = cluster_.follow();
  if (!changes) return false;
  Outcome outcome;
  const bool has_followed = controllers_.follow_nodes(*changes, outcome);
  Reporter::tell_changes(outcome);
  return has_followed;
}

Result<> Daemon::run() {
  log::info("started", {{"node", options_.node_name}, {"source", cluster_.describe()}});
  cluster_.load_last_known();
  policies_.take_news();
  Clock::time_point next_run = Clock::now() + reconcile();
  // A pod that makes the kernel report without end does not hold up what the cluster says.
  RoundPacer pacer_of_changes(Clock::now()), pacer_of_news(Clock::now());
  RoundPacer pacer_of_status(Clock::now());
  RoundPacer pacer_of_nodes(Clock::now(), std::chrono::milliseconds(0), kPolicyShare);
  bool has_changes = false;      // of the kernel or of a folder
  bool has_news = false;         // of the cluster; the next round takes them
  bool follows_nodes = true;     // until there are news for which a round has to come
  bool has_policy_news = false;  // likewise, or follow_policies() before it
  bool has_followed = false;     // the next round tells it
  Clock::time_point listen_from = Clock::now();
  RoundPacer pacer_of_policies(Clock::now(), std::chrono::milliseconds(0), kPolicyShare);
  RoundPacer pacer_of_policy_news(Clock::now(), kPolicySettleTime, kPolicyShare);
  Clock::time_point catch_up_at = Clock::time_point::max();
  Clock::time_point follow_at = Clock::time_point::max();
  Clock::time_point hear_table_from = Clock::now();
  std::array<pollfd, 11> events{pollfd{.fd = signals_.get(), .events = POLLIN},
                                pollfd{.fd = cluster_.fd(), .events = POLLIN},
                                pollfd{.fd = monitor_.fd(), .events = POLLIN},
                                pollfd{.fd = ipsec_.fd(), .events = POLLIN},
                                pollfd{.fd = controllers_.fd(), .events = POLLIN},
                                pollfd{.fd = -1, .events = POLLIN},
                                pollfd{.fd = policies_.fd(), .events = POLLIN},
                                pollfd{.fd = -1, .events = POLLIN},
                                pollfd{.fd = -1, .events = POLLIN},
                                pollfd{.fd = -1, .events = POLLIN},
                                pollfd{.fd = -1, .events = POLLIN}};
  auto& [signal, news, kernel, ipsec, folders, probes, policies, records, table, denied, bird] =
      events;
  for (;;) {
    const bool listens = Clock::now() >= listen_from;
    const bool hears_table = Clock::now() >= hear_table_from;
    kernel.fd = listens ? monitor_.fd() : -1;
    news.fd = follows_nodes ? cluster_.fd() : -1;
    policies.fd = has_policy_news ? -1 : policies_.fd();
    probes.fd = controllers_.probe_fd();
    records.fd = controllers_.records_fd();
    table.fd = hears_table ? controllers_.policy_table_fd() : -1;
    denied.fd = controllers_.denied_fd();
    bird.fd = has_changes ? -1 : controllers_.bird_fd();
    auto wake_at = std::min({next_run, catch_up_at, follow_at});
    if (!listens) wake_at = std::min(wake_at, listen_from);
    if (!hears_table) wake_at = std::min(wake_at, hear_table_from);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake_at - Clock::now());
    const int ready = ::poll(events.data(), events.size(),
                             static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    if (ready < 0 && errno != EINTR) return sys_error(errno, "poll");
    if (signal.revents != 0) break;
    if (hear_changes(kernel.revents != 0, ipsec.revents != 0, folders.revents != 0) ||
        bird.revents != 0) {
      next_run = std::min(next_run, pacer_of_changes.after_notification(Clock::now()));
      has_changes = true;
    }
    if (news.revents != 0) {
      const auto used_before = cpu_time();
      const auto now = Clock::now();
      follows_nodes = pacer_of_nodes.after_notification(now) <= now && follow_nodes();
      pacer_of_nodes.pay(Clock::now(), cpu_time() - used_before);
      next_run = std::min(next_run, pacer_of_news.after_notification(Clock::now()));
      has_news = true;
    }
    if (policies.revents != 0) {
      policies_.hear();
      follow_at = pacer_of_policy_news.after_notification(Clock::now());
      has_policy_news = true;
    }
    if (denied.revents != 0) Reporter::tell_denials(controllers_.take_denials());
    if (kernel.revents != 0) listen_from = Clock::now() + kListenInterval;
    if (probes.revents != 0) {
      controllers_.take_probe_news();
      next_run = std::min(next_run, pacer_of_news.after_notification(Clock::now()));
      has_news = true;
    }
    if (table.revents != 0) hear_table_from = Clock::now() + kHearTableInterval;
    if ((records.revents != 0 || table.revents != 0) && controllers_.take_policy_changes())
      catch_up_at = std::min(catch_up_at, pacer_of_policies.after_notification(Clock::now()));
    const auto used_before = cpu_time();
    if (Clock::now() < next_run && Clock::now() >= follow_at) {
      follow_at = catch_up_at = Clock::time_point::max();
      has_policy_news = !follow_policies();
      pacer_of_policy_news.pay(Clock::now(), cpu_time() - used_before);
      // A round is needed at once, or soon, for the status.
      next_run = has_policy_news
                     ? Clock::now()
                     : std::min(next_run, pacer_of_status.after_notification(Clock::now()));
      has_followed = has_followed || !has_policy_news;
      continue;
    }
    if (Clock::now() < next_run) {
      if (Clock::now() < catch_up_at) continue;
      catch_up_at = Clock::time_point::max();
      if (!catch_up_policies()) {
        next_run = std::min(next_run, pacer_of_changes.after_notification(Clock::now()));
        has_changes = true;
      }
      pacer_of_policies.pay(Clock::now(), cpu_time() - used_before);
      continue;
    }
    catch_up_at = follow_at = Clock::time_point::max();  // a round does that, too
    cluster_.take_news();                                // a source may be unable to wake the loop
    policies_.take_news();
    follows_nodes = true;
    next_run = Clock::now() + reconcile();
    const auto price = cpu_time() - used_before;
    if (std::exchange(has_changes, false)) pacer_of_changes.pay(Clock::now(), price);
    if (std::exchange(has_news, false)) pacer_of_news.pay(Clock::now(), price);
    if (std::exchange(has_policy_news, false)) pacer_of_policy_news.pay(Clock::now(), price);
    if (std::exchange(has_followed, false)) pacer_of_status.pay(Clock::now(), price);
  }
  log::info("stopped; everything stays as it is");
  return {};
}

}  // namespace kubecni
