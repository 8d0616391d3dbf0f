#include "policy/live_table.hpp"

#include "base/json.hpp"
#include "policy/live_walk.hpp"

#include <cerrno>
#include <optional>

namespace kubecni {

using nlohmann::json;

namespace {

/// If the rule denies and counts: the packets.
std::optional<std::uint64_t> denied_by(const json& rule) {
  std::optional<std::uint64_t> packets;
  bool denies = false;
  for (const json& part : member(rule, "expr")) {
    const json& count = member(member(part, "counter"), "packets");
    if (count.is_number_unsigned()) packets = count.get<std::uint64_t>();
    denies = denies || (part.is_object() && (part.contains("drop") || part.contains("reject")));
  }
  return denies ? packets : std::nullopt;
}

}  // namespace

Result<LiveTable> LiveTable::parse(std::string_view listing) {
  auto parsed = parse_json(listing);
  if (!parsed) return failure(EBADMSG, "listing of nftables: " + parsed.error().what);
  const json& parts = member(*parsed, "nftables");
  if (!parts.is_array()) return failure(EBADMSG, "listing of nftables: " + shown(*parsed));
  LiveTable table;
  for (const json& part : parts) {
    if (const json& chain = member(part, "chain"); chain.is_object())
      table.chains_[text_of(member(chain, "name"))];
    for (const char* kind : {"set", "map"})
      if (const json& set = member(part, kind); set.is_object())
        table.elements_[text_of(member(set, "name"))] = member(set, "elem");
    const json& rule = member(part, "rule");
    if (!rule.is_object()) continue;
    const std::string chain = text_of(member(rule, "chain"));
    table.chains_[chain].push_back(rule);
    if (const auto packets = denied_by(rule))
      table.drops_.push_back({chain, text_of(member(rule, "comment")), *packets});
  }
  return table;
}

Result<LiveVerdict> LiveTable::judge(const PolicyFlow& flow) const {
  if (!exists()) return LiveVerdict{};
  return LiveWalk(*this, flow).run();
}

}  // namespace kubecni
