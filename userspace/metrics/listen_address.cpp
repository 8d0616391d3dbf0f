#include "metrics/listen_address.hpp"

#include <cerrno>
#include <charconv>

namespace kubecni {

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  const auto refuse = [&] {
    return failure(EINVAL,
                   "\"" + std::string(text) +
                       "\" is not an address with a port, like 127.0.0.1:9484 or [::1]:9484");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto addr = IpAddr::parse(host);
  if (!addr || addr->is_v4() == bracketed) return refuse();
  ListenAddress parsed{.addr = *addr};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
  if (error != std::errc() || rest != end) return refuse();
  return parsed;
}

std::string ListenAddress::str() const {
  const std::string host = addr.is_v4() ? addr.str() : "[" + addr.str() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace kubecni
