#include "daemon/node_firewall.hpp"

#include "net/conntrack.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace kubecni {

namespace {

const std::string kName = std::string("nftables table inet ") + kFirewallTable;

std::unexpected<Error> explain(const Error& error, const FirewallSpec& spec) {
  const bool is_missing = error.code == ENOENT || error.code == EOPNOTSUPP ||
                          error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT;
  std::string what = spec.masquerade ? "masquerade: " : "guard of the tunnel: ";
  what += kName + ": " + error.what;
  if (is_missing && spec.masquerade)
    what +=
        "; the kernel needs nf_tables, nft_chain_nat and nft_masq: load these modules,"
        " or do without by --masquerade off";
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

/// The table as it is; asks for it only if anybody changed any since the last time.
Result<std::string> NodeFirewall::look() {
  auto generation = nftables_->generation();
  if (!generation) return fail(generation);
  if (applied_ && *generation == generation_) return listing_;
  auto listing = nftables_->list_table(kFirewallTable);
  if (listing && *listing == listing_) generation_ = *generation;
  return listing;
}

/// Changes elements where that is enough, else the whole table.
Result<> NodeFirewall::write(const FirewallSpec& spec, const std::string& before) {
  if (applied_ && before == listing_) {
    const auto elements = plan_elements(*applied_, spec);
    if (elements && (elements->empty() || nftables_->run(*elements))) return {};
  }
  const std::string wanted = plan_table(spec);
  if (nftables_->run(plan_replacement(before, wanted))) return {};
  // What is there cannot be filled anew, like a set of another type.
  return nftables_->run(plan_replacement("", wanted));
}

/// Returns what that changed, empty when the table was right `before`.
Result<std::string> NodeFirewall::apply(const FirewallSpec& spec, const std::string& before) {
  const bool was_changed = applied_ && before != listing_;
  const bool is_wider =
      !applied_ || was_changed || MasqueradeRule(spec).is_wider_than(MasqueradeRule(*applied_));
  auto written = write(spec, before);
  applied_.reset();  // until it is known how the table looks
  if (!written) return fail(written);
  auto generation = nftables_->generation();
  if (!generation) return fail(generation);
  auto after = nftables_->list_table(kFirewallTable);
  if (!after) return after;
  applied_ = spec;
  listing_ = *after;
  generation_ = *generation;
  if (*after == before) return "";
  may_have_untranslated_ = may_have_untranslated_ || is_wider;
  if (before.empty()) return kName + (was_changed ? " made again: somebody deleted it" : " made");
  if (after->empty()) return kName + " removed";
  return kName + (was_changed ? " put right: somebody changed it" : " changed");
}

/// What a packet reaches decides, after kube-proxy translated its destination.
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
    if (plan_table(spec).empty()) return changes;
    return failure(EPROTONOSUPPORT, "the kernel has no nftables");
  }
  auto now = look();
  if (!now) return fail(now);
  if (applied_ != spec || *now != listing_) {
    auto change = apply(spec, *now);
    if (!change) return fail(change);
    if (!change->empty()) changes.push_back(*change);
  }
  if (!may_have_untranslated_) return changes;
  auto forgotten = forget_untranslated(spec);
  may_have_untranslated_ = false;
  // The table stands all the same, and such a flow ends when it pauses.
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

Result<bool> NodeFirewall::remove() {
  applied_.reset();
  auto generation = nftables_ ? nftables_->generation() : Result<std::uint32_t>(0);
  if (!generation) return fail(generation);
  if (*generation == 0) return false;
  auto removed = nftables_->run(std::string("delete table inet ") + kFirewallTable);
  if (!removed && removed.error().code == ENOENT) return false;
  if (!removed) return fail(removed, "remove " + kName);
  return true;
}

}  // namespace kubecni
