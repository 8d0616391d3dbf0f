#include "control/firewall/node_firewall.hpp"

#include "net/conntrack.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace kubecni {

namespace {

const std::string kName = std::string("nftables table ") + kFirewallTable;
const std::string kWithoutFamily = std::string(kFirewallTable).substr(std::strlen("inet "));

std::unexpected<Error> explain(const Error& error, const FirewallSpec& spec) {
  const bool is_missing = error.code == ENOENT || error.code == EOPNOTSUPP ||
                          error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT;
  std::string what = spec.masquerade ? "masquerade: " : "guard of the tunnel: ";
  what += kName + ": " + error.what;
  if (is_missing && spec.masquerade)
    what +=
        "; the kernel needs nf_tables, nft_chain_nat and nft_masq: load these modules,"
        " or set --masquerade off";
  else if (is_missing)
    what += "; the kernel needs nf_tables: load this module";
  return failure(error.code, std::move(what));
}

}  // namespace

Result<NodeFirewall> NodeFirewall::open() {
  auto nftables = Nftables::open();
  if (!nftables && nftables.error().code == EPROTONOSUPPORT) return NodeFirewall(std::nullopt);
  if (!nftables) return fail(nftables);
  return NodeFirewall(std::move(*nftables));
}

/// Looks at what the flow reaches after kube-proxy has translated its destination.
Result<unsigned> NodeFirewall::forget_untranslated(const FirewallSpec& spec) {
  const MasqueradeRule rule(spec);
  unsigned sum = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    auto forgotten = forget_udp_flows(family, [&](const UdpFlow& flow) {
      return flow.answered_to == flow.source && rule.applies(flow.source, flow.answered_by);
    });
    if (!forgotten) return forgotten;
    sum += *forgotten;
  }
  return sum;
}

Result<std::vector<std::string>> NodeFirewall::sync_here(const FirewallSpec& spec) {
  auto generation = nftables_ ? nftables_->generation() : Result<std::uint32_t>(0);
  if (!generation) return fail(generation);
  std::vector<std::string> changes;
  if (*generation == 0) {
    if (plan_table(spec).rules.empty()) return changes;
    return failure(EPROTONOSUPPORT, "the kernel has no nftables");
  }
  auto outcome = table_.sync(*nftables_, {.is_as_before = applied_ == spec,
                                          .wanted = [&] { return plan_table(spec); },
                                          .as_before = [&] { return plan_table(*applied_); }});
  const bool was_as_applied = outcome && outcome->was_as_applied;
  const bool is_wider =
      !applied_ || !was_as_applied || MasqueradeRule(spec).is_wider_than(MasqueradeRule(*applied_));
  applied_ = spec;
  if (!outcome) applied_.reset();
  if (!outcome) return fail(outcome);
  if (!outcome->change.empty()) {
    may_have_untranslated_ = may_have_untranslated_ || is_wider;
    changes.push_back(outcome->change);
  }
  if (!may_have_untranslated_) return changes;
  auto forgotten = forget_untranslated(spec);
  may_have_untranslated_ = false;
  // Not an error: the table is in place, and such a flow is forgotten when it pauses.
  if (!forgotten)
    changes.push_back("UDP flows that began without masquerade stay as they are: " +
                      forgotten.error().what);
  else if (*forgotten > 0)
    changes.push_back("forgot " + std::to_string(*forgotten) +
                      " UDP flows that began without masquerade");
  return changes;
}

Result<std::vector<std::string>> NodeFirewall::sync(const FirewallSpec& spec) {
  auto changes = sync_here(spec);
  if (!changes) return explain(changes.error(), spec);
  return changes;
}

Result<> NodeFirewall::admit(const FirewallPeers& peers) {
  if (!applied_) return failure(EAGAIN, kName + " is not made yet");
  auto added = add_to_sets(kWithoutFamily, plan_additions(*applied_, peers));
  if (!added) return explain(added.error(), *applied_);
  if (*added) table_.note_added();
  const auto append = [](auto& all, const auto& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  append(applied_->cluster_pods, peers.cluster_pods);
  append(applied_->nodes, peers.nodes);
  append(applied_->tunnel_peers, peers.tunnel_peers);
  return {};
}

Result<bool> NodeFirewall::remove() {
  applied_.reset();
  auto generation = nftables_ ? nftables_->generation() : Result<std::uint32_t>(0);
  if (!generation) return fail(generation);
  if (*generation == 0) return false;
  return table_.remove(*nftables_);
}

}  // namespace kubecni
