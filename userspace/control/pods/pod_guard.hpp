#pragma once

#include "base/result.hpp"
#include "control/pods/pod_guard_table.hpp"
#include "net/kept_table.hpp"
#include "net/nftables.hpp"
#include "state/attachment.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Our nftables tables that judge what the pods of one node send: `bridge kube-cni`, and `inet
/// kube-cni-guard` while there are pods in mode ptp. Runs in the node's namespace.
class PodGuard {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<PodGuard> open();

  /// Makes the tables for these pods. Returns what was changed, a phrase each.
  /// Errors: as of KeptTable, and what the operator can do.
  Result<std::vector<std::string>> sync(const std::vector<Attachment>& attachments);

  /// Removes the tables and nothing else; absent is success. Returns the names of those that were
  /// there.
  Result<std::vector<std::string>> remove();

 private:
  /// One of the tables.
  struct Guard {
    const char* name;
    NftTable (*plan)(const GuardedPods&);
    KeptTable table{name};
    std::optional<GuardedPods> applied = {};
    bool may_exist = true;  ///< an earlier daemon may have left it
  };

  explicit PodGuard(Nftables nftables) : nftables_(std::move(nftables)) {}

  Result<std::string> sync(Guard& guard, GuardedPods pods);
  /// Removes the table; returns whether it was there.
  Result<bool> remove(Guard& guard);

  Nftables nftables_;
  Guard on_bridges_{kPodGuardTable, &plan_pod_guard};
  Guard routed_{kRoutedGuardTable, &plan_routed_guard};
};

}  // namespace kubecni
