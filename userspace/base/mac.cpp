#include "base/mac.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace kubecni {

std::optional<MacAddr> MacAddr::parse(std::string_view text) {
  MacAddr mac;
  if (text.size() != 3 * mac.bytes.size() - 1) return std::nullopt;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    const std::string_view digits = text.substr(3 * i, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), mac.bytes[i], 16);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    if (i > 0 && text[3 * i - 1] != ':') return std::nullopt;
  }
  return mac;
}

MacAddr MacAddr::derived_from(const IpAddr& v4_addr) {
  MacAddr mac{{0x0a, 0x58}};
  std::copy_n(v4_addr.data(), 4, mac.bytes.begin() + 2);
  return mac;
}

std::string MacAddr::str() const {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return text;
}

}  // namespace kubecni
