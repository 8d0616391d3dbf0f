#pragma once

#include "base/result.hpp"

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// A chain of nftables that forwarded packets pass.
struct ForwardChain {
  std::string family;  ///< "ip", "ip6", "inet", ...
  std::string table;
  std::string name;
  bool drops = false;  ///< by its policy: what no rule accepts

  /// In nft's language: "ip filter FORWARD".
  [[nodiscard]] std::string path() const { return family + " " + table + " " + name; }
  /// For people: "FORWARD of table ip filter".
  [[nodiscard]] std::string text() const { return name + " of table " + family + " " + table; }
  auto operator<=>(const ForwardChain&) const = default;
};

/// The chains at the hook "forward" among `chains`, the result of Nftables::list_chains(). Pure.
/// Errors: EINVAL not JSON.
Result<std::vector<ForwardChain>> forward_chains_in(std::string_view chains);

/// A rule that says what it is for.
struct CommentedRule {
  unsigned handle = 0;
  std::string comment;

  auto operator<=>(const CommentedRule&) const = default;
};

/// Those with a comment among `rules`, the result of Nftables::list_rules(). Pure.
/// Errors: EINVAL not JSON.
Result<std::vector<CommentedRule>> commented_rules_in(std::string_view rules);

}  // namespace kubecni
