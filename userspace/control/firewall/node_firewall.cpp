#include "control/firewall/node_firewall.hpp"

#include "net/conntrack.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace kubecni {

namespace {

const std::string kName = std::string("nftables table ") + kFirewallTable;

template <typename T>
std::vector<T> missing(const std::vector<T>& some, const std::vector<T>& in) {
  std::vector<T> found;
  std::ranges::copy_if(some, std::back_inserter(found),
                       [&](const T& one) { return std::ranges::find(in, one) == in.end(); });
  return found;
}

template <typename T>
void append(std::vector<T>& all, const std::vector<T>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

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
  // The sets may still have what a node has left there.
  const FirewallPeers added{.cluster_pods = missing(peers.cluster_pods, applied_->cluster_pods),
                            .nodes = missing(peers.nodes, applied_->nodes),
                            .tunnel_peers = missing(peers.tunnel_peers, applied_->tunnel_peers)};
  auto done = table_.add(*nftables_, plan_additions(*applied_, added));
  if (!done) return explain(done.error(), *applied_);
  append(applied_->cluster_pods, added.cluster_pods);
  append(applied_->nodes, added.nodes);
  append(applied_->tunnel_peers, added.tunnel_peers);
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
