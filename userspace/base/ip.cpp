#include "base/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <ranges>
#include <span>

namespace kubecni {

namespace {

/// Which bits of byte number `byte` belong to the first `prefix` bits.
std::uint8_t network_bits(unsigned prefix, unsigned byte) {
  const int kept = std::clamp(static_cast<int>(prefix) - static_cast<int>(byte * 8), 0, 8);
  return static_cast<std::uint8_t>(0xff00u >> kept);
}

}  // namespace

std::optional<IpAddr> IpAddr::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddr addr;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, terminated.c_str(), addr.bytes_.data()) == 1) {
      addr.family_ = family;
      return addr;
    }
  }
  return std::nullopt;
}

IpAddr IpAddr::v4(const std::uint8_t (&bytes)[4]) {
  IpAddr addr = any(AF_INET);
  std::ranges::copy(bytes, addr.bytes_.begin());
  return addr;
}

IpAddr IpAddr::v6(const std::uint8_t (&bytes)[16]) {
  IpAddr addr = any(AF_INET6);
  std::ranges::copy(bytes, addr.bytes_.begin());
  return addr;
}

IpAddr IpAddr::any(int family) {
  IpAddr addr;
  addr.family_ = family;
  return addr;
}

bool IpAddr::is_v4() const { return family_ == AF_INET; }
bool IpAddr::is_link_local() const {
  return family_ == AF_INET6 && bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}
unsigned IpAddr::bytes() const { return is_v4() ? 4 : 16; }
unsigned IpAddr::bits() const { return bytes() * 8; }

std::string IpAddr::str() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family_ != 0) ::inet_ntop(family_, bytes_.data(), text, sizeof(text));
  return text;
}

IpAddr IpAddr::plus(std::uint64_t offset) const {
  IpAddr sum = *this;
  std::span<std::uint8_t> carry_to(sum.bytes_.data(), bytes());
  unsigned carry = 0;  // beside `offset`, which may have no room for it
  for (std::uint8_t& byte : carry_to | std::views::reverse) {
    carry += byte + static_cast<unsigned>(offset & 0xff);
    byte = static_cast<std::uint8_t>(carry);
    carry >>= 8;
    offset >>= 8;
  }
  return sum;
}

IpAddr IpAddr::masked(unsigned prefix) const {
  IpAddr result = *this;
  for (unsigned i = 0; i < bytes(); ++i) result.bytes_[i] &= network_bits(prefix, i);
  return result;
}

IpAddr IpAddr::filled(unsigned prefix) const {
  IpAddr result = *this;
  for (unsigned i = 0; i < bytes(); ++i)
    result.bytes_[i] |= static_cast<std::uint8_t>(~network_bits(prefix, i));
  return result;
}

std::optional<IpNet> IpNet::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto addr = IpAddr::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), prefix);
  if (!addr || error != std::errc() || end != digits.end() || prefix > addr->bits())
    return std::nullopt;
  return IpNet{*addr, prefix};
}

bool IpNet::contains(const IpAddr& other) const {
  return other.family() == addr.family() && other.masked(prefix) == addr.masked(prefix);
}

bool IpNet::contains(const IpNet& other) const {
  return other.prefix >= prefix && contains(other.addr);
}

bool IpNet::overlaps(const IpNet& other) const {
  return contains(other.network().addr) || other.contains(network().addr);
}

std::string IpNet::str() const { return addr.str() + "/" + std::to_string(prefix); }

std::vector<IpNet> first_of_each_family(const std::vector<IpNet>& networks) {
  std::vector<IpNet> first;
  for (const IpNet& network : networks) {
    if (std::ranges::none_of(first, [&](const IpNet& other) {
          return other.addr.family() == network.addr.family();
        }))
      first.push_back(network);
  }
  return first;
}

std::vector<IpAddr> first_of_each_family(const std::vector<IpAddr>& addresses) {
  std::vector<IpAddr> first;
  for (const IpAddr& address : addresses) {
    if (std::ranges::find(first, address.family(), &IpAddr::family) == first.end())
      first.push_back(address);
  }
  return first;
}

}  // namespace kubecni
