#include "policy/live_walk.hpp"

#include "base/json.hpp"
#include "k8s/protocol.hpp"
#include "kubecni/abi.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace kubecni {

using nlohmann::json;

namespace {

constexpr unsigned kDeepest = 16;  // as NFT_JUMP_STACK_SIZE

// Of `ct state` and `ct direction`, as numbers (linux/netfilter/nf_tables.h).
constexpr std::uint64_t kStateNew = 8;
constexpr std::uint64_t kDirectionOriginal = 0;

Error unknown_part(const json& part) {
  return {ENOTSUP, "the table has something that this kube-cnictl does not know: " + shown(part)};
}

/// The only member of `{"match": {...}}`.
std::string kind_of(const json& part) {
  return part.is_object() && part.size() == 1 ? part.begin().key() : "";
}

/// Whether it only sets the bit of what is judged.
bool sets_mark(const json& part) {
  static const json kMark = {{"meta", {{"key", "mark"}}}};
  static const json kSetsBit = {{"key", kMark},
                                {"value", {{"|", json::array({kMark, KUBECNI_MARK_JUDGED})}}}};
  return member(part, "mangle") == kSetsBit;
}

/// Whether it only leads to the chain that sets the bit.
bool leads_to_mark(const json& part) {
  const json& map = member(part, "vmap");
  const json& elements = member(member(map, "data"), "set");
  static const json kToMark = {{"goto", {{"target", "passed"}}}};
  return text_of(member(member(member(map, "key"), "meta"), "key")) == "nfproto" &&
         elements.is_array() && std::ranges::all_of(elements, [](const json& element) {
           return element.is_array() && element.size() == 2 && element[1] == kToMark;
         });
}

/// An element may have a timeout or a comment around it.
const json& value_of(const json& element) {
  const json& inner = member(member(element, "elem"), "val");
  return inner.is_null() ? element : inner;
}

bool is_between(const json& range, const auto& field, auto parse) {
  if (!range.is_array() || range.size() != 2) return false;
  const auto first = parse(range[0]);
  const auto last = parse(range[1]);
  return first && last && *first <= field && field <= *last;
}

std::optional<IpAddr> address_in(const json& value) { return IpAddr::parse(text_of(value)); }

bool is_in_prefix(const json& prefix, const IpAddr& address) {
  const auto base = address_in(member(prefix, "addr"));
  const auto length = unsigned_of(member(prefix, "len"));
  return base && length && base->family() == address.family() && *length <= base->bits() &&
         IpNet{*base, *length}.contains(address);
}

}  // namespace

Result<LiveVerdict> LiveWalk::run() {
  auto step = through("forward", 0);
  if (!step) return fail(step);
  verdict_.is_allowed = *step != Step::kDrop;
  return verdict_;
}

Result<LiveWalk::Step> LiveWalk::through(const std::string& chain, unsigned depth) {
  const auto rules = table_.chains_.find(chain);
  if (rules == table_.chains_.end() || depth > kDeepest)
    return failure(ENOTSUP, "the table has no usable chain " + chain);
  for (const json& rule : rules->second) {
    auto step = through(rule, chain, depth);
    if (!step || *step != Step::kNext) return step;
  }
  return Step::kReturn;
}

Result<LiveWalk::Step> LiveWalk::through(const json& rule, const std::string& chain,
                                         unsigned depth) {
  bool is_limited = false;
  for (const json& part : member(rule, "expr")) {
    const std::string kind = kind_of(part);
    if (kind == "counter" || kind == "log" || sets_mark(part) || leads_to_mark(part)) continue;
    if (kind == "limit") {
      is_limited = true;
      continue;
    }
    if (kind == "match") {
      auto fits = matches(part["match"]);
      if (!fits) return fail(fits);
      if (!*fits) return Step::kNext;
      continue;
    }
    // Whether the packet is one too many is not known.
    if (is_limited) return std::unexpected(unknown_part(rule));
    auto step = kind == "vmap" ? look_up(part["vmap"], depth) : follow(part, depth);
    const bool is_told = kind != "vmap" && kind != "jump" && kind != "goto";
    if (step && is_told && *step == Step::kDrop) verdict_.by.clear();
    if (step && is_told) verdict_.by.push_back(chain + ": " + text_of(member(rule, "comment")));
    return step;
  }
  return Step::kNext;
}

Result<LiveWalk::Step> LiveWalk::follow(const json& verdict, unsigned depth) {
  const std::string kind = kind_of(verdict);
  if (kind == "accept") return Step::kAccept;
  if (kind == "drop" || kind == "reject") return Step::kDrop;
  if (kind == "return") return Step::kReturn;
  if (kind != "jump" && kind != "goto") return std::unexpected(unknown_part(verdict));
  auto step = through(text_of(member(verdict[kind], "target")), depth + 1);
  if (step && kind == "jump" && *step == Step::kReturn) return Step::kNext;
  return step;
}

Result<LiveWalk::Step> LiveWalk::look_up(const json& map, unsigned depth) {
  auto key = field(member(map, "key"));
  if (!key) return fail(key);
  if (!*key) return Step::kNext;
  const std::string name = text_of(member(map, "data"));
  const auto elements = table_.elements_.find(name.empty() ? name : name.substr(1));
  if (elements == table_.elements_.end()) return std::unexpected(unknown_part(map));
  for (const json& element : elements->second) {
    if (!element.is_array() || element.size() != 2) return std::unexpected(unknown_part(element));
    auto is_it = has(value_of(element[0]), **key);
    if (!is_it) return fail(is_it);
    if (*is_it) return follow(element[1], depth);
  }
  return Step::kNext;
}

Result<bool> LiveWalk::matches(const json& match) const {
  auto left = field(member(match, "left"));
  if (!left) return fail(left);
  if (!*left) return false;
  const json& right = member(match, "right");
  const std::string op = text_of(member(match, "op"));
  if (op == "in") {
    const auto* number = std::get_if<std::uint64_t>(&**left);
    const auto bits = unsigned_of(right);
    if (!number || !bits) return std::unexpected(unknown_part(match));
    return (*number & *bits) != 0;
  }
  if (op != "==" && op != "!=") return std::unexpected(unknown_part(match));
  auto found = has(right, **left);
  if (!found) return found;
  return *found == (op == "==");
}

Result<bool> LiveWalk::is_element(const json& set, const Field& field) const {
  for (const json& element : set) {
    auto found = has(value_of(element), field);
    if (!found || *found) return found;
  }
  return false;
}

/// Whether the right side of a match has the field.
Result<bool> LiveWalk::has(const json& right, const Field& field) const {
  if (const std::string name = text_of(right); name.starts_with('@')) {
    const auto set = table_.elements_.find(name.substr(1));
    if (set == table_.elements_.end()) return std::unexpected(unknown_part(right));
    return is_element(set->second, field);
  }
  if (const json& set = member(right, "set"); set.is_array()) return is_element(set, field);
  const json& range = member(right, "range");
  if (const auto* address = std::get_if<IpAddr>(&field)) {
    if (right.is_string()) return address_in(right) == *address;
    if (const json& prefix = member(right, "prefix"); prefix.is_object())
      return is_in_prefix(prefix, *address);
    if (range.is_array()) return is_between(range, *address, address_in);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&field)) {
    if (right.is_number()) return unsigned_of(right) == *number;
    if (range.is_array()) return is_between(range, *number, unsigned_of);
  }
  if (const auto* both = std::get_if<std::vector<IpAddr>>(&field))
    if (const json& parts = member(right, "concat"); parts.is_array())
      return std::ranges::equal(parts, *both, {}, address_in);
  return std::unexpected(unknown_part(right));
}

Result<std::optional<LiveWalk::Field>> LiveWalk::payload(const std::string& protocol,
                                                         const std::string& name) const {
  if (protocol == "ip" || protocol == "ip6") {
    if (flow_.source.is_v4() != (protocol == "ip")) return std::nullopt;
    if (name == "saddr") return flow_.source;
    if (name == "daddr") return flow_.destination;
  }
  if (protocol == "icmpv6" && name == "type") {
    if (flow_.protocol != IPPROTO_ICMPV6) return std::nullopt;
    return std::uint64_t{ICMP6_ECHO_REQUEST};
  }
  if (name == "dport" && (protocol == "tcp" || protocol == "udp" || protocol == "sctp")) {
    if (protocol_name(flow_.protocol) != protocol) return std::nullopt;
    return std::uint64_t{flow_.port};
  }
  return failure(ENOTSUP,
                 "the table asks for " + protocol + " " + name + ", which is not known here");
}

Result<std::optional<LiveWalk::Field>> LiveWalk::field(const json& expression) const {
  if (const json& part = member(expression, "payload"); part.is_object())
    return payload(text_of(member(part, "protocol")), text_of(member(part, "field")));
  if (text_of(member(member(expression, "meta"), "key")) == "l4proto")
    return std::uint64_t{flow_.protocol};
  const std::string ct = text_of(member(member(expression, "ct"), "key"));
  if (ct == "state") return kStateNew;
  if (ct == "direction") return kDirectionOriginal;
  const json& parts = member(expression, "concat");
  if (!parts.is_array()) return std::unexpected(unknown_part(expression));
  std::vector<IpAddr> all;
  all.reserve(parts.size());
  for (const json& part : parts) {
    auto one = field(part);
    if (!one) return one;
    if (!*one) return std::nullopt;
    const auto* address = std::get_if<IpAddr>(&**one);
    if (!address) return std::unexpected(unknown_part(expression));
    all.push_back(*address);
  }
  return all;
}

}  // namespace kubecni
