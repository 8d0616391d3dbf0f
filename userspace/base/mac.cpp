#include "base/mac.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>

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

MacAddr MacAddr::derived_from(const IpAddr& addr) {
  MacAddr mac{{0x0a, 0x58}};
  std::copy_n(addr.data() + addr.bytes() - 4, 4, mac.bytes.begin() + 2);
  return mac;
}

MacAddr MacAddr::random() {
  std::random_device device;
  MacAddr mac;
  for (auto& byte : mac.bytes) byte = static_cast<std::uint8_t>(device());
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] | 0x02) & 0xfe);
  return mac;
}

IpAddr MacAddr::link_local() const {
  constexpr std::uint8_t kUniversalLocalBit = 2;
  return IpAddr::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0,
                     static_cast<std::uint8_t>(bytes[0] ^ kUniversalLocalBit), bytes[1], bytes[2],
                     0xff, 0xfe, bytes[3], bytes[4], bytes[5]});
}

std::string MacAddr::str() const {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return text;
}

}  // namespace kubecni
