#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/forward_chains.hpp"
#include "net/nftables.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace kubecni {

/// Which forwarded packets are accepted.
struct ForwardSpec {
  bool accepts = false;              ///< false: no rule of ours is in any chain
  std::vector<std::string> devices;  ///< at which pods are; "veth*" is each that begins so
  std::vector<IpNet> pods;           ///< this node's PodCIDRs

  auto operator<=>(const ForwardSpec&) const = default;
};

/// The comments that tell our rules from others, and say what each accepts.
inline constexpr const char* kForwardComment = "kube-cni: ";

/// The commands, in nft's language, after which the chain has the rules of `spec` and no other of
/// ours; `found` are the rules that it has. An accept in one chain does not overrule the drop of
/// another one, so each chain that drops gets the rules. They come last: only the policy is
/// overruled. iptables shows them and keeps them (`iptables -S FORWARD`), as they consist of what
/// it knows. Pure.
std::string plan_forward_rules(const ForwardChain& chain, const std::vector<CommentedRule>& found,
                               const ForwardSpec& spec);

/// What a look at the node's chains found.
struct ForwardReport {
  std::vector<std::string> changes;  ///< a phrase each
  std::vector<std::string> doubts;   ///< what drops pods' packets all the same, a sentence each
};

/// Rules of ours in the chains of others that drop forwarded packets by their policy: Docker's and
/// ufw's. Runs in the node's namespace.
class ForwardRules {
 public:
  /// When nothing changed it costs one question to the kernel. Errors: those of nftables.
  Result<ForwardReport> sync(Nftables& nftables, const ForwardSpec& spec);

  /// Which chains drop forwarded packets by their policy and have no rules of ours, as of the last
  /// sync().
  [[nodiscard]] const std::vector<std::string>& doubts() const { return doubts_; }

 private:
  Result<std::vector<std::string>> write(Nftables& nftables, const ForwardSpec& spec);

  ForwardSpec applied_;
  std::uint32_t generation_ = 0;  ///< of nftables, after the last sync(); 0: none
  std::vector<std::string> doubts_;
};

}  // namespace kubecni
