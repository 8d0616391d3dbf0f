#include "config/bgp_options.hpp"

#include <cerrno>
#include <charconv>
#include <set>
#include <string_view>

namespace kubecni {

namespace {

// RFC 7607, RFC 6793, RFC 7300: numbers that no system has.
constexpr std::uint32_t kNoAs = 0;
constexpr std::uint32_t kAsTrans = 23456;
constexpr std::uint32_t kLastAs16 = 65535;
constexpr std::uint32_t kLastAs = 4294967295;

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_reserved(std::uint32_t as) {
  return as == kNoAs || as == kAsTrans || as == kLastAs16 || as == kLastAs;
}

/// Takes the text up to the separator from `rest`, with it.
std::string_view cut(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? "" : rest.substr(at + 1);
  return part;
}

/// What is wrong with one of the options after the address; empty: nothing, and the peer has it.
std::string take_option(std::string_view option, BgpPeer& peer) {
  std::string_view value = option;
  const std::string_view key = cut(value, '=');
  if (key == "port") {
    const auto port = number_in<std::uint16_t>(value);
    if (!port || *port == 0) return "port=" + std::string(value) + " is not a port, 1 to 65535";
    peer.port = *port;
    return "";
  }
  if (key != "password-file")
    return "\"" + std::string(option) + "\" is neither port=PORT nor password-file=PATH";
  peer.password_file = std::string(value);
  if (peer.password_file.is_relative())
    return "password-file=" + std::string(value) + " is not an absolute path";
  return "";
}

}  // namespace

Result<BgpPeer> parse_bgp_peer(const std::string& text) {
  const auto wrong = [&](const std::string& why) {
    return failure(EINVAL, "\"" + text + "\" is not a BGP peer: " + why);
  };
  std::string_view options = text;
  std::string_view as = cut(options, ',');
  const bool has_as = as.find('@') != std::string_view::npos;
  const std::string_view address = cut(as, '@');
  const auto parsed = IpAddr::parse(address);
  if (!parsed) return wrong("\"" + std::string(address) + "\" is not an IP address");
  if (parsed->is_link_local())
    return wrong("it has a link-local address, and needs one that is not bound to a device");
  BgpPeer peer{.address = *parsed, .as = {}, .password_file = {}};
  if (has_as) {
    peer.as = number_in<std::uint32_t>(as);
    if (!peer.as || is_reserved(*peer.as))
      return wrong("\"" + std::string(as) + "\" is not the number of an autonomous system");
  }
  while (!options.empty())
    if (auto why = take_option(cut(options, ','), peer); !why.empty()) return wrong(why);
  return peer;
}

std::string contradiction_in(const BgpOptions& options) {
  if (is_reserved(options.as))
    return "--bgp-as: " + std::to_string(options.as) + " is a reserved number";
  if (options.keepalive_time >= options.hold_time)
    return "--bgp-keepalive-time " + std::to_string(options.keepalive_time) +
           " has to be less than --bgp-hold-time " + std::to_string(options.hold_time);
  if (!options.password_file.empty() && options.password_file.is_relative())
    return "--bgp-password-file: " + options.password_file.string() + " is not an absolute path";
  std::set<IpAddr> addresses;
  for (const BgpPeer& peer : options.peers)
    if (!addresses.insert(peer.address).second)
      return "--bgp-peer: " + peer.address.str() + " is given twice";
  return "";
}

}  // namespace kubecni
