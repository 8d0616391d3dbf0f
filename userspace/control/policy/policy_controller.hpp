#pragma once

#include "base/folder_watch.hpp"
#include "control/options.hpp"
#include "control/outcome.hpp"
#include "control/policy/closed_table.hpp"
#include "control/policy/denied_log.hpp"
#include "control/policy/policy_table.hpp"
#include "dataplane/endpoint_table.hpp"
#include "k8s/policy_objects.hpp"
#include "net/netlink.hpp"
#include "net/nft_monitor.hpp"
#include "policy/compiler.hpp"
#include "state/attachment.hpp"
#include "state/policy_status.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kubecni {

/// What the daemon knows of the policies.
struct PolicyView {
  bool is_on = false;                      ///< `networkPolicy`
  const PolicyObjects* objects = nullptr;  ///< null: not known yet
  std::uint64_t version = 0;               ///< changes with the objects
  std::string error = {};                  ///< why they cannot be read
  /// When the news were heard of that made this version.
  std::chrono::steady_clock::time_point heard_at = {};
};

/// This node's PodCIDRs, and its own addresses in them.
struct OwnNetworks {
  std::vector<IpNet> pods;
  std::vector<IpAddr> not_pods;

  bool operator==(const OwnNetworks&) const = default;
};

/// The attachments as the compiler takes them.
std::vector<LocalPod> local_pods(const std::vector<Attachment>& attachments);

/// The namespaces that have policies.
std::set<std::string> namespaces_with_policies(const PolicyObjects& objects);

/// What to enforce: the compiled policies, and which addresses are closed without one. Pure.
///
/// A pod that awaits peers is closed, so ADD waits for it, unless it is one of `talking`: of such a
/// pod only the rules are closed that need the peers.
PolicyTableSpec plan_policies(const PolicyObjects& objects, const std::vector<LocalPod>& locals,
                              const OwnNetworks& own, const std::vector<LocalPod>& talking = {});

/// The same before the objects are known: all pods are closed that a policy may select, as far as
/// the mark in the state folder tells.
PolicyTableSpec plan_by_mark(const std::filesystem::path& state_dir,
                             const std::vector<LocalPod>& locals, const OwnNetworks& own);

/// What `spec` says of each of the pods. Pure.
std::vector<PolicyPodStatus> describe_pods(const PolicyTableSpec& spec,
                                           const std::vector<Attachment>& attachments);

/// Keeps the nftables table `inet kube-cni-policy`, and says which pods it has to judge. While the
/// cluster has no policies there is no table. Runs in the node's namespace.
///
/// A round calls prepare(), marks the pods by policed(), and calls apply(): the kernel path has a
/// pod's packets before the table relies on it. Between rounds, catch_up() follows the pods that
/// come and go, and what others do to the table, and follow() the objects.
class PolicyController {
 public:
  /// Errors: those of opening netlink.
  static Result<PolicyController> open(const DaemonOptions& options);

  /// Decides what to enforce. Until the policies are known, what was enforced goes on; if there is
  /// nothing in the kernel, and the cluster had policies when they were last known, all pods of
  /// this node are closed.
  void prepare(const OwnNetworks& own, const PolicyView& policies, Outcome& outcome);

  /// Whether netfilter has to judge the pod's packets.
  [[nodiscard]] Policed policed(const Attachment& attachment) const;

  /// After a change, waits until no packet is on its way that the former rules have judged (some
  /// 10 ms).
  void apply(Outcome& outcome);

  /// Readable, for poll(2), when take_changes() may have something; -1: never. They change with
  /// prepare().
  [[nodiscard]] int records_fd() const { return records_ ? records_->fd() : -1; }
  [[nodiscard]] int table_fd() const { return monitor_ ? monitor_->fd() : -1; }
  /// Whether a pod's record came or went, or somebody changed the table, since the last time.
  bool take_changes();
  /// Makes the table right for the pods that there are now, by the objects of the last prepare() or
  /// follow().
  /// Who is policed does not change by that: ADD marks a new pod itself.
  void catch_up(Outcome& outcome);
  /// Makes the table right for other objects. Result: false if that needs a round, since more pods
  /// are policed, or policies come first or go last. Then the table is as it was, and a round has
  /// to come before catch_up().
  bool follow(const PolicyView& policies, Outcome& outcome);

  /// Readable, for poll(2), when take_denials() may have something; -1: never. It changes with
  /// prepare().
  [[nodiscard]] int denied_fd() const { return denied_ ? denied_->fd() : -1; }
  /// The packets that the policies have denied since the last time, as far as they are logged.
  std::vector<LoggedDenial> take_denials();

  /// What is known after the last apply() or catch_up().
  [[nodiscard]] const PolicyStatus& status() const { return status_; }

  /// Removes table and mark.
  void clean_up(Outcome& outcome) const;

 private:
  enum class Mode { kOff, kAsIs, kEnforce };

  PolicyController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  void describe();
  void note_in_force();
  bool open_table(Outcome& outcome);
  void decide(Outcome& outcome);
  void decide_by_mark(Outcome& outcome);
  void listen(Outcome& outcome);
  void listen_to_denials(Outcome& outcome);
  void plan();
  [[nodiscard]] std::vector<LocalPod> talking(const std::vector<LocalPod>& locals) const;
  void remove(Outcome& outcome);
  bool sync_bridges(Outcome& outcome);
  Result<std::string> sync_table(const std::function<void()>& in_force);
  [[nodiscard]] std::vector<PolicyProblem> refused_policies() const;
  void force(bool must_end, Outcome& outcome);
  void end_answers(bool is_change, Outcome& outcome);
  void require_judgement(bool is_required, Outcome& outcome) const;
  void close_policed(Outcome& outcome);
  void close_as_before(Outcome& outcome);
  void close(const std::set<IpAddr>& addresses, Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<PolicyTable> table_;
  ClosedTable closed_;
  std::optional<FolderWatch> records_;  ///< both while policies are enforced
  std::optional<NftMonitor> monitor_;
  std::set<std::string> judged_;     ///< the pods that the last round left to netfilter
  std::optional<DeniedLog> denied_;  ///< while the table logs
  PolicyView view_;
  OwnNetworks own_;
  std::vector<Attachment> attachments_;
  Mode mode_ = Mode::kAsIs;
  bool is_removed_ = false;      ///< there is no table, and no mark
  bool were_open_ = false;       ///< all pods, until the next plan()
  bool must_end_again_ = false;  ///< end_answers() could not wait
  PolicyTableSpec spec_;
  std::shared_ptr<const PolicyTablePlan> plan_;  ///< shared with table_
  std::optional<std::uint64_t> marked_version_;
  std::optional<std::uint64_t> planned_version_;
  std::vector<LocalPod> planned_locals_;
  OwnNetworks planned_own_;
  PolicyStatus status_;
};

}  // namespace kubecni
