#pragma once

#include "control/options.hpp"
#include "control/outcome.hpp"
#include "control/policy/policy_table.hpp"
#include "dataplane/endpoint_table.hpp"
#include "k8s/policy_objects.hpp"
#include "net/netlink.hpp"
#include "policy/compiler.hpp"
#include "state/attachment.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace kubecni {

/// What the daemon knows of the policies.
struct PolicyView {
  bool is_on = false;                      ///< `networkPolicy`
  const PolicyObjects* objects = nullptr;  ///< null: not known yet
  std::uint64_t version = 0;               ///< changes with the objects
  std::string error = {};                  ///< why they cannot be read
};

/// This node's PodCIDRs, and its own addresses in them.
struct OwnNetworks {
  std::vector<IpNet> pods;
  std::vector<IpAddr> not_pods;

  bool operator==(const OwnNetworks&) const = default;
};

/// The attachments as the compiler takes them.
std::vector<LocalPod> local_pods(const std::vector<Attachment>& attachments);

/// What to enforce: the compiled policies, and which addresses are closed without one. Pure.
PolicyTableSpec plan_policies(const PolicyObjects& objects, const std::vector<LocalPod>& locals,
                              const OwnNetworks& own);

/// Keeps the nftables table `inet kube-cni-policy`, and says which pods it has to judge. While the
/// cluster has no policies there is no table. Runs in the node's namespace.
///
/// A round calls prepare(), marks the pods by policed(), and calls apply(): the kernel path has a
/// pod's packets before the table relies on it.
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

  static void clean_up(Outcome& outcome);

 private:
  enum class Mode { kOff, kAsIs, kEnforce };

  PolicyController(DaemonOptions options, NetlinkSocket netlink)
      : options_(std::move(options)), netlink_(std::move(netlink)) {}

  bool open_table(Outcome& outcome);
  void plan(const PolicyView& policies, const OwnNetworks& own, Outcome& outcome);
  void close_all(const OwnNetworks& own, Outcome& outcome);
  void remove(Outcome& outcome);
  bool sync_bridges(Outcome& outcome);
  void end_answers(Outcome& outcome);

  DaemonOptions options_;
  NetlinkSocket netlink_;
  std::optional<PolicyTable> table_;
  std::vector<Attachment> attachments_;
  Mode mode_ = Mode::kAsIs;
  bool is_removed_ = false;      ///< there is no table, and no mark
  bool must_end_again_ = false;  ///< end_answers() could not wait
  PolicyTableSpec spec_;
  PolicyTablePlan plan_;
  std::optional<std::uint64_t> planned_version_;
  std::vector<LocalPod> planned_locals_;
  OwnNetworks planned_own_;
};

}  // namespace kubecni
