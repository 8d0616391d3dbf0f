#pragma once

#include "base/result.hpp"
#include "control/policy/policy_table_plan.hpp"
#include "net/address_elements.hpp"
#include "net/netlink.hpp"
#include "net/nft_structure.hpp"
#include "net/nftables.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace kubecni {

/// The commands, in nft's language, that make what `wanted` has and `known` has not: all that the
/// elements of `wanted` need. A chain with another content is filled anew. Empty: none. Pure.
std::string plan_additions(const PolicyTablePlan& known, const PolicyTablePlan& wanted);

/// The commands that remove the objects ("chain in_1") that `wanted` does not have. Empty: none.
/// Pure.
std::string plan_removals(const std::set<std::string>& objects, const PolicyTablePlan& wanted);

/// Whether somebody took away elements that `left` and `wanted` have. ADD and DEL change those of
/// their own pod. Pure.
bool lacks_elements(const AddressElements& now, const AddressElements& left,
                    const AddressElements& wanted);

/// The nftables table that enforces the policies. Runs in the node's namespace.
///
/// A change is three transactions: new chains and sets, which nobody uses yet; all elements at
/// once, among them which pod has which chain; then the chains and sets that nobody uses any more.
/// So no packet meets half of a policy. Of a table that is made anew, the chain with the hook comes
/// after the elements. What others change is put right.
class PolicyTable {
 public:
  /// Errors: EPROTONOSUPPORT the kernel has no netfilter; EPERM no CAP_NET_ADMIN.
  static Result<PolicyTable> open();

  /// Makes the table as planned. Result: what changed, as a phrase; empty: nothing. When all is
  /// right it costs one question to the kernel, and a look at the table if any table was changed.
  /// A policy's chain that the kernel refuses drops everything, and the hook `output` is left out;
  /// both are tried again after a minute.
  /// Calls `in_force` when packets meet what is new, if anything is, before it tidies up.
  /// Errors: EOPNOTSUPP, ENOENT the kernel lacks a part of nftables. Then the table may be as it
  /// was.
  Result<std::string> sync(
      std::shared_ptr<const PolicyTablePlan> wanted, const std::function<void()>& in_force = [] {});

  /// The chains that the kernel refused, with its reason.
  [[nodiscard]] const std::map<std::string, std::string>& refused() const { return refused_; }

  /// Whether no table of the namespace has changed since sync().
  bool is_as_left();

  /// Whether the table exists.
  Result<bool> exists();
  /// The pods in a table that an earlier kube-cnid left, by their addresses.
  struct Before {
    std::set<IpAddr> known;
    std::set<IpAddr> isolated;  ///< of these
  };
  /// Empty: there is no table, or it is of a version that does not mark what it lets pass.
  Result<std::optional<Before>> read_before();
  /// Removes the table; absent is success. Result: whether it was there.
  Result<bool> remove();

 private:
  PolicyTable(Nftables nftables, NetlinkSocket netlink)
      : nftables_(std::move(nftables)), netlink_(std::move(netlink)) {}

  Result<NftStructure> read();
  Result<bool> look(const PolicyTablePlan& wanted);
  Result<std::shared_ptr<const PolicyTablePlan>> write(
      std::shared_ptr<const PolicyTablePlan> wanted, const std::function<void()>& in_force);
  [[nodiscard]] std::shared_ptr<const PolicyTablePlan> without_refused(
      std::shared_ptr<const PolicyTablePlan> planned) const;
  Result<std::shared_ptr<const PolicyTablePlan>> fill(
      std::shared_ptr<const PolicyTablePlan> wanted);
  Result<std::shared_ptr<const PolicyTablePlan>> fill_and_add_hooks(const PolicyTablePlan& wanted);
  bool replace_hook(const std::string& name, const PolicyTablePlan& wanted);
  Result<> run(const std::string& commands);
  Result<> add(const PolicyTablePlan& wanted);
  Result<> add_without_refused(PolicyTablePlan& wanted, const Error& error);
  void find_refused(const PolicyTablePlan& wanted, std::span<const std::string> chains,
                    std::map<std::string, std::string>& refused);

  Nftables nftables_;
  NetlinkSocket netlink_;  // of netfilter
  /// What the table has; mostly the plan of the caller.
  std::shared_ptr<const PolicyTablePlan> known_ = std::make_shared<const PolicyTablePlan>();
  NftStructure structure_;  // likewise, when it was last seen
  bool is_known_ = false;   // known_ is right
  // Since when it is known; our own transactions are counted in. If the kernel's is another one,
  // somebody else has changed some table.
  std::uint32_t generation_ = 0;
  std::map<std::string, std::string> refused_;
  std::chrono::steady_clock::time_point try_refused_at_{};
};

}  // namespace kubecni
