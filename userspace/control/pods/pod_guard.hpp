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

/// Our nftables table `bridge kube-cni` of one node. Runs in the node's namespace.
class PodGuard {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<PodGuard> open();

  /// Makes the table for these pods. Returns what was changed; empty when all was right.
  /// Errors: as of KeptTable, and what the operator can do.
  Result<std::string> sync(const std::vector<Attachment>& attachments);

  /// Removes the table and nothing else; absent is success. Returns whether it was there.
  Result<bool> remove();

 private:
  explicit PodGuard(Nftables nftables) : nftables_(std::move(nftables)) {}

  Nftables nftables_;
  KeptTable table_{kPodGuardTable};
  std::optional<GuardedPods> applied_;
};

}  // namespace kubecni
