#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace kubecni {

/// Where a server listens: "127.0.0.1:9484", "[::1]:9484".
struct ListenAddress {
  IpAddr addr;
  std::uint16_t port = 0;  ///< 0: one that the kernel chooses

  /// Parses an IP address and a port, not names. Errors: EINVAL.
  static Result<ListenAddress> parse(std::string_view text);
  [[nodiscard]] std::string str() const;

  bool operator==(const ListenAddress&) const = default;
};

}  // namespace kubecni
