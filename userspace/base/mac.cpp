#include "base/mac.hpp"

#include <algorithm>
#include <cstdio>

namespace kubecni {

std::optional<MacAddr> MacAddr::parse(std::string_view text) {
  MacAddr mac;
  const std::string terminated(text);
  auto& b = mac.bytes;
  int used = 0;
  const int fields = std::sscanf(terminated.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &b[0],
                                 &b[1], &b[2], &b[3], &b[4], &b[5], &used);
  if (fields != 6 || static_cast<std::size_t>(used) != text.size()) return std::nullopt;
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
