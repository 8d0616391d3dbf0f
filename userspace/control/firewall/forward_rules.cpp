#include "control/firewall/forward_rules.hpp"

#include <algorithm>
#include <set>

namespace kubecni {

namespace {

/// The comment of a rule, and the rule without it.
struct ForwardRule {
  std::string comment;
  std::string text;
};

std::vector<ForwardRule> rules_for(const ForwardChain& chain, const ForwardSpec& spec) {
  std::vector<ForwardRule> rules;
  if (!spec.accepts || !chain.drops) return rules;
  for (const IpNet& pods : spec.pods) {
    const std::string keyword = pods.addr.is_v4() ? "ip" : "ip6";
    if (chain.family != "inet" && chain.family != keyword) continue;
    // iptables knows no sets, and would refuse the whole table.
    for (const std::string& device : spec.devices) {
      const std::string name = pods.str() + " on " + device;
      rules.push_back({kForwardComment + ("from pods " + name),
                       "iifname \"" + device + "\" " + keyword + " saddr " + pods.str()});
      rules.push_back({kForwardComment + ("to pods " + name),
                       "oifname \"" + device + "\" " + keyword + " daddr " + pods.str()});
    }
  }
  return rules;
}

/// Whether forwarded IP packets pass the chain, and it is another's.
bool is_others(const ForwardChain& chain) {
  return (chain.family == "ip" || chain.family == "ip6" || chain.family == "inet") &&
         chain.table != "kube-cni";
}

bool concerns(const ForwardChain& chain, const std::vector<IpNet>& pods) {
  return chain.family == "inet" || std::ranges::any_of(pods, [&](const IpNet& net) {
           return (chain.family == "ip") == net.addr.is_v4();
         });
}

/// Result: whether anything was changed.
Result<bool> write_chain(Nftables& nftables, const ForwardChain& chain, const ForwardSpec& spec) {
  auto rules = nftables.list_rules(chain.path());
  auto found = rules ? commented_rules_in(*rules) : std::unexpected(rules.error());
  if (!found) return fail(found, chain.text());
  const std::string commands = plan_forward_rules(chain, *found, spec);
  if (commands.empty()) return false;
  if (auto done = nftables.run(commands); !done) return fail(done, chain.text());
  return true;
}

}  // namespace

std::string plan_forward_rules(const ForwardChain& chain, const std::vector<CommentedRule>& found,
                               const ForwardSpec& spec) {
  std::set<std::string> present;
  std::set<std::string> wanted;
  const auto rules = rules_for(chain, spec);
  for (const ForwardRule& rule : rules) wanted.insert(rule.comment);
  std::string text;
  for (const CommentedRule& rule : found) {
    if (!rule.comment.starts_with(kForwardComment)) continue;
    // A second one of the same is one too many.
    if (wanted.contains(rule.comment) && present.insert(rule.comment).second) continue;
    text += "delete rule " + chain.path() + " handle " + std::to_string(rule.handle) + "\n";
  }
  for (const ForwardRule& rule : rules)
    if (!present.contains(rule.comment))
      text += "add rule " + chain.path() + " " + rule.text + " counter accept comment \"" +
              rule.comment + "\"\n";
  return text;
}

/// A chain that cannot be changed, as of a table with an owner, does not stop the others.
Result<std::vector<std::string>> ForwardRules::write(Nftables& nftables, const ForwardSpec& spec) {
  std::vector<std::string> changes;
  Result<> result;
  doubts_.clear();
  auto listing = nftables.list_chains();
  auto chains = listing ? forward_chains_in(*listing) : std::unexpected(listing.error());
  if (!chains) return fail(chains, "forwarding");
  for (const ForwardChain& chain : *chains) {
    if (!is_others(chain)) continue;
    auto changed = write_chain(nftables, chain, spec);
    if (!changed && result) result = fail(changed, "forwarding");
    if (changed && *changed)
      changes.push_back(spec.accepts && chain.drops
                            ? chain.text() + ", which drops by its policy, accepts this node's pods"
                            : "rules for this node's pods removed from " + chain.text());
    if (chain.drops && (!spec.accepts || !changed) && concerns(chain, spec.pods))
      doubts_.push_back(chain.text() +
                        " drops forwarded packets by its policy, those of pods, too: let it accept "
                        "what comes from and goes to the PodCIDRs, or use --forward-rules on");
  }
  if (!result) return fail(result);
  return changes;
}

Result<ForwardReport> ForwardRules::sync(Nftables& nftables, const ForwardSpec& spec) {
  auto generation = nftables.generation();
  if (!generation) return fail(generation, "forwarding");
  if (*generation == 0) return ForwardReport{};
  if (*generation == generation_ && spec == applied_) return ForwardReport{.doubts = doubts_};
  generation_ = 0;
  auto changes = write(nftables, spec);
  if (!changes) return fail(changes);
  // Our own change counts, too. What others changed meanwhile is seen at their next change.
  auto after = changes->empty() ? generation : nftables.generation();
  if (!after) return fail(after, "forwarding");
  generation_ = *after;
  applied_ = spec;
  return ForwardReport{.changes = std::move(*changes), .doubts = doubts_};
}

}  // namespace kubecni
