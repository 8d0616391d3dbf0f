#pragma once

#include "base/result.hpp"
#include "control/firewall/firewall_table.hpp"
#include "net/kept_table.hpp"
#include "net/nftables.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The nftables table `inet kube-cni` of one node. Does not read or touch tables of others, like
/// kube-proxy's. Runs in the node's namespace.
class NodeFirewall {
 public:
  /// Succeeds even if the kernel has no nftables. sync() then fails if it needs them.
  /// Errors: EPERM no CAP_NET_ADMIN.
  static Result<NodeFirewall> open();

  /// Makes the table as the spec says, in one transaction, also if somebody deleted or edited it.
  /// If only sets differ, changes their elements and keeps the rules. Makes conntrack forget UDP
  /// flows to the outside that began without the table: they would stay untranslated as long as
  /// they go on. Returns a phrase for each change. Without a change it asks the kernel once; it
  /// lists the table only if somebody has changed any table. Errors: EPROTONOSUPPORT, ENOENT,
  /// EOPNOTSUPP the kernel lacks a part of nftables.
  Result<std::vector<std::string>> sync(const FirewallSpec& spec);

  /// Adds these nodes to the sets of the table that sync() made. Costs the work for them, whatever
  /// is in the sets; what they have already is left out. Errors: EAGAIN sync() has not made it;
  /// those of KeptTable::add().
  Result<> admit(const FirewallPeers& peers);

  /// Removes the table and nothing else; absent is success. Returns whether it was there.
  Result<bool> remove();

 private:
  explicit NodeFirewall(std::optional<Nftables> nftables) : nftables_(std::move(nftables)) {}

  Result<std::vector<std::string>> sync_here(const FirewallSpec& spec);
  Result<unsigned> forget_untranslated(const FirewallSpec& spec);

  std::optional<Nftables> nftables_;     // empty where the kernel has no netfilter
  std::optional<FirewallSpec> applied_;  // what is in the table, if nobody else changed it
  KeptTable table_{kFirewallTable};
  bool may_have_untranslated_ = false;
};

}  // namespace kubecni
