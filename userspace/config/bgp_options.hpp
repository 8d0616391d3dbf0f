#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kubecni {

/// The port of BGP. RFC 4271, section 8.
inline constexpr std::uint16_t kBgpPort = 179;

/// Who speaks BGP with this node, but is no node: a router, or a route reflector.
struct BgpPeer {
  IpAddr address;
  std::optional<std::uint32_t> as;  ///< none: the nodes' own
  std::uint16_t port = kBgpPort;
  std::filesystem::path password_file;  ///< empty: no password

  bool operator==(const BgpPeer&) const = default;
};

/// The operator's settings of `--routing bgp`.
struct BgpOptions {
  std::uint32_t as = default_number("bgpAs");
  std::vector<BgpPeer> peers;
  bool mesh = true;
  std::filesystem::path password_file;  ///< of the mesh; empty: no password
  std::uint16_t port = default_number("bgpPort");
  unsigned hold_time = default_number("bgpHoldTime");  ///< seconds
  unsigned keepalive_time = 0;                         ///< seconds; 0: a third of the hold time
  std::string fallback{default_of("bgpFallback")};     ///< "vxlan" or "none"
};

/// Reads "ADDRESS[@AS][,port=PORT][,password-file=PATH]". Errors: EINVAL, a sentence that says what
/// is wrong with it.
Result<BgpPeer> parse_bgp_peer(const std::string& text);

/// What is wrong with the settings together; empty: nothing.
std::string contradiction_in(const BgpOptions& options);

}  // namespace kubecni
