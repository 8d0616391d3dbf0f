#pragma once

#include "base/result.hpp"
#include "control/firewall/firewall_table.hpp"
#include "net/kept_table.hpp"
#include "net/nftables.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// Our nftables table `inet kube-cni` of one node. Tables of others, like those of
/// kube-proxy, are not looked at and not touched. Runs in the node's namespace.
class NodeFirewall {
 public:
  /// Succeeds also where the kernel has no nftables: sync() says so, if it needs them.
  /// Errors: EPERM no CAP_NET_ADMIN.
  static Result<NodeFirewall> open();

  /// Makes the table as the spec says, in one transaction; also when somebody deleted
  /// or edited it. Where only sets differ, their elements are changed and the rules
  /// stay. UDP flows to the outside that began without the table are forgotten, since
  /// they would stay untranslated as long as they go on.
  /// Returns what was changed, a phrase each, none when all was right; then it costs
  /// one question to the kernel, and a list of the table if any table was changed.
  /// Errors: EPROTONOSUPPORT, ENOENT, EOPNOTSUPP the kernel lacks a part of nftables.
  Result<std::vector<std::string>> sync(const FirewallSpec& spec);

  /// Removes the table and nothing else; absent is success. Returns whether it was there.
  Result<bool> remove();

 private:
  explicit NodeFirewall(std::optional<Nftables> nftables) : nftables_(std::move(nftables)) {}

  Result<std::vector<std::string>> sync_here(const FirewallSpec& spec);
  Result<unsigned> forget_untranslated(const FirewallSpec& spec);

  std::optional<Nftables> nftables_;     // empty where the kernel has no netfilter
  std::optional<FirewallSpec> applied_;  // what the table was last made for
  KeptTable table_{kFirewallTable};
  bool may_have_untranslated_ = false;
};

}  // namespace kubecni
