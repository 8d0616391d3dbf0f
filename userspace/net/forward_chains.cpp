#include "net/forward_chains.hpp"

#include "base/json.hpp"

namespace kubecni {

Result<std::vector<ForwardChain>> forward_chains_in(std::string_view chains) {
  auto listing = parse_json(chains);
  if (!listing) return fail(listing, "what nftables lists");
  std::vector<ForwardChain> found;
  for (const auto& entry : member(*listing, "nftables")) {
    const auto& chain = member(entry, "chain");
    if (member(chain, "hook") != "forward") continue;
    found.push_back({.family = text_of(member(chain, "family")),
                     .table = text_of(member(chain, "table")),
                     .name = text_of(member(chain, "name")),
                     .drops = member(chain, "policy") == "drop"});
  }
  return found;
}

Result<std::vector<CommentedRule>> commented_rules_in(std::string_view rules) {
  auto listing = parse_json(rules);
  if (!listing) return fail(listing, "what nftables lists");
  std::vector<CommentedRule> found;
  for (const auto& entry : member(*listing, "nftables")) {
    const auto& rule = member(entry, "rule");
    const auto handle = unsigned_of(member(rule, "handle"));
    auto comment = text_of(member(rule, "comment"));
    if (handle && !comment.empty()) found.push_back({*handle, std::move(comment)});
  }
  return found;
}

}  // namespace kubecni
