#pragma once

#include "base/ip.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kubecni {

/// An Ethernet address.
struct MacAddr {
  std::array<std::uint8_t, 6> bytes{};

  /// Reads six pairs of hexadecimal digits with ':' between; nothing else around it.
  static std::optional<MacAddr> parse(std::string_view text);
  /// The address that belongs to an IP address: 0a:58 and its last four bytes. Every node computes
  /// the same one, so no lookup is needed.
  static MacAddr derived_from(const IpAddr& addr);
  /// A random, locally administered unicast address.
  static MacAddr random();

  /// The IPv6 link-local address that an interface with this MAC assigns itself: the modified
  /// EUI-64 of RFC 4291, appendix A.
  [[nodiscard]] IpAddr link_local() const;

  [[nodiscard]] std::string str() const;
  auto operator<=>(const MacAddr&) const = default;
};

}  // namespace kubecni
