#pragma once

#include "base/result.hpp"
#include "policy/judge.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// A rule of the table that counts what it drops or rejects.
struct DropCounter {
  std::string chain;
  std::string comment;  ///< says for whom: "no rule of NAMESPACE/POLICY"
  std::uint64_t packets = 0;

  bool operator==(const DropCounter&) const = default;
};

/// What the table does with a packet.
struct LiveVerdict {
  bool is_allowed = true;
  /// The rule that drops or rejects it; else the rules of the pods' chains that let it pass. Each
  /// as "CHAIN: COMMENT". Empty: no chain is for it.
  std::vector<std::string> by = {};
};

/// The policies' table as the kernel has it. No I/O.
class LiveTable {
 public:
  /// Takes what `nft -j list table` prints. Errors: EBADMSG it is something else.
  static Result<LiveTable> parse(std::string_view listing);

  /// Whether there is a table at all. Without one, everything passes.
  [[nodiscard]] bool exists() const { return !chains_.empty(); }

  /// In the order of the table.
  [[nodiscard]] std::vector<DropCounter> drops() const { return drops_; }

  /// Goes the way of the first packet of a flow, rule by rule, from the chain `forward`. Needs a
  /// listing with elements. Errors: ENOTSUP a rule has something that we do not know, since
  /// somebody else or another version wrote it.
  [[nodiscard]] Result<LiveVerdict> judge(const PolicyFlow& flow) const;

 private:
  std::map<std::string, std::vector<nlohmann::json>> chains_;  ///< the rules of each
  std::map<std::string, nlohmann::json> elements_;             ///< of each set or map
  std::vector<DropCounter> drops_;

  friend class LiveWalk;
};

}  // namespace kubecni
