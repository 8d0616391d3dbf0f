#pragma once

#include "policy/live_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace kubecni {

/// The way of one packet through a LiveTable: does what the kernel does with the parts of rules
/// that kube-cnid writes, and refuses all others.
class LiveWalk {
 public:
  LiveWalk(const LiveTable& table, const PolicyFlow& flow) : table_(table), flow_(flow) {}

  /// Errors: ENOTSUP, see LiveTable::judge().
  Result<LiveVerdict> run();

 private:
  /// A field of the packet, or several together.
  using Field = std::variant<std::uint64_t, IpAddr, std::vector<IpAddr>>;
  enum class Step { kNext, kReturn, kAccept, kDrop };

  Result<Step> through(const std::string& chain, unsigned depth);
  Result<Step> through(const nlohmann::json& rule, const std::string& chain, unsigned depth);
  Result<Step> follow(const nlohmann::json& verdict, unsigned depth);
  Result<Step> look_up(const nlohmann::json& map, unsigned depth);
  Result<bool> matches(const nlohmann::json& match) const;
  Result<bool> has(const nlohmann::json& right, const Field& field) const;
  Result<bool> is_element(const nlohmann::json& set, const Field& field) const;
  /// Empty: the packet has no such field, so the rule is not for it.
  Result<std::optional<Field>> field(const nlohmann::json& expression) const;
  Result<std::optional<Field>> payload(const std::string& protocol, const std::string& name) const;

  const LiveTable& table_;
  const PolicyFlow& flow_;
  LiveVerdict verdict_;
};

}  // namespace kubecni
