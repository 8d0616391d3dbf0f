#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// A rule of the routing policy database: packets look into `table` first.
struct Rule {
  int family = 0;             ///< AF_INET or AF_INET6
  std::string iif;            ///< only packets that come in by it; empty: all
  std::optional<IpNet> from;  ///< only packets with such a source
  std::uint32_t mark = 0;     ///< only packets whose mark has all of these bits
  unsigned table = 0;
  unsigned priority = 0;       ///< lower comes first; the main table's is 32766
  unsigned char protocol = 0;  ///< RTPROT_*; FRA_PROTOCOL, kernel 4.17

  auto operator<=>(const Rule&) const = default;
};

/// Repeating the call changes nothing.
Result<> ensure_rule(NetlinkSocket& netlink, const Rule& rule);

/// Absent is success.
Result<> delete_rule(NetlinkSocket& netlink, const Rule& rule);

/// The rules of both families that have this protocol.
Result<std::vector<Rule>> list_rules(NetlinkSocket& netlink, unsigned char protocol);

}  // namespace kubecni
