#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// One IPv4 or IPv6 address, in network byte order.
class IpAddr {
 public:
  IpAddr() = default;

  /// Reads the text form of RFC 4291 or a dotted quad; nothing else around it.
  static std::optional<IpAddr> parse(std::string_view text);
  static IpAddr v4(const std::uint8_t (&bytes)[4]);
  static IpAddr v6(const std::uint8_t (&bytes)[16]);
  /// 0.0.0.0 or ::
  static IpAddr any(int family);

  [[nodiscard]] int family() const { return family_; }  ///< AF_INET or AF_INET6
  [[nodiscard]] bool is_v4() const;
  /// Whether it is in fe80::/10 (RFC 4291).
  [[nodiscard]] bool is_link_local() const;
  [[nodiscard]] unsigned bits() const;   ///< 32 or 128
  [[nodiscard]] unsigned bytes() const;  ///< 4 or 16
  [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
  [[nodiscard]] std::string str() const;

  /// The address plus `offset`, wrapping around at the family's end.
  [[nodiscard]] IpAddr plus(std::uint64_t offset) const;
  /// This address with all bits after the first `prefix` cleared.
  [[nodiscard]] IpAddr masked(unsigned prefix) const;
  /// This address with all bits after the first `prefix` set.
  [[nodiscard]] IpAddr filled(unsigned prefix) const;

  auto operator<=>(const IpAddr&) const = default;

 private:
  int family_ = 0;
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address with the length of its network prefix: "10.200.0.7/24".
struct IpNet {
  IpAddr addr;
  unsigned prefix = 0;

  /// Reads "ADDRESS/PREFIX". The host bits may be set.
  static std::optional<IpNet> parse(std::string_view text);

  /// The network itself: host bits cleared.
  [[nodiscard]] IpNet network() const { return {addr.masked(prefix), prefix}; }
  [[nodiscard]] bool contains(const IpAddr& other) const;
  [[nodiscard]] bool contains(const IpNet& other) const;
  [[nodiscard]] bool overlaps(const IpNet& other) const;
  [[nodiscard]] std::string str() const;

  auto operator<=>(const IpNet&) const = default;
};

/// The first network, or address, of each family, in their order.
std::vector<IpNet> first_of_each_family(const std::vector<IpNet>& networks);
std::vector<IpAddr> first_of_each_family(const std::vector<IpAddr>& addresses);

}  // namespace kubecni
