#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/nftables.hpp"

#include <optional>
#include <set>
#include <string>

namespace kubecni {

/// The commands, in nft's language, that make of the table that closes `known` the one that closes
/// `wanted`; by itself, without pods, if `is_new`. Pure.
std::string plan_closed_table(bool is_new, const std::set<IpAddr>& known,
                              const std::set<IpAddr>& wanted);

/// The nftables table `inet kube-cni-closed`: drops what a policed pod sends or gets if the policy
/// table has not let it pass. So these pods are closed, not open, while somebody has removed that
/// table. The kernel keeps others from removing this one, and removes it when kube-cnid ends. Runs
/// in the node's namespace.
class ClosedTable {
 public:
  /// Closes the pods with these addresses. If it fails, the table is as it was.
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EOPNOTSUPP it is older than 5.12.
  Result<> sync(const std::set<IpAddr>& policed);

  /// Closes nobody.
  void remove() { owner_.reset(); }

 private:
  std::optional<NftOwner> owner_;
  std::set<IpAddr> known_;  ///< those that the table closes
};

}  // namespace kubecni
