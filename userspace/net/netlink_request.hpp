#pragma once

// For net/ only: no other code sees an nlmsghdr or a libnl object.

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kubecni {

/// One netlink request: its message, built step by step, and its exchange.
class NetlinkRequest {
 public:
  /// Starts a message of `type` (RTM_*, or subsystem << 8 | message of netfilter)
  /// whose fixed part is `header`.
  template <typename Header>
  NetlinkRequest(int type, int flags, const Header& header) : NetlinkRequest(type, flags) {
    append(&header, sizeof(header));
  }

  void append(const void* bytes, std::size_t size);
  void put(int attribute, const void* bytes, std::size_t size);
  void put(int attribute, std::uint8_t value) { put(attribute, &value, sizeof(value)); }
  void put(int attribute, std::uint16_t value) { put(attribute, &value, sizeof(value)); }
  void put(int attribute, std::uint32_t value) { put(attribute, &value, sizeof(value)); }
  void put(int attribute, std::uint64_t value) { put(attribute, &value, sizeof(value)); }
  void put(int attribute, const std::string& text) {
    put(attribute, text.c_str(), text.size() + 1);
  }
  void put(int attribute, const IpAddr& addr) { put(attribute, addr.data(), addr.bytes()); }
  void put(int attribute, const MacAddr& mac) {
    put(attribute, mac.bytes.data(), mac.bytes.size());
  }
  /// Puts what `content` adds into the nested attribute `attribute`.
  void nest(int attribute, const std::function<void()>& content);

  using OnMessage = std::function<void(const nlmsghdr*)>;

  /// Sends the request and waits for its acknowledgement; passes each earlier message to
  /// `on_message`. `what` begins the error's text, which also has the kernel's own explanation.
  /// Errors: those of the kernel; ETIMEDOUT no answer within 1 s.
  Result<> exchange(NetlinkSocket& socket, std::string_view what, const OnMessage& on_message = {});

  /// The same for a dump. Calls `restart` before each attempt: a dump that a concurrent change
  /// interrupted is repeated, up to five times in all.
  /// Errors: also EINTR, every attempt was interrupted.
  Result<> dump(NetlinkSocket& socket, std::string_view what, const std::function<void()>& restart,
                const OnMessage& on_message);

  /// Sends `requests` at once, of which the first and the last begin and end a transaction of
  /// netfilter, and waits for the answer to the last one within. The socket is of no use
  /// afterwards: there may be further answers. Errors: the first of the kernel's, which then
  /// changed nothing.
  static Result<> exchange_batch(NetlinkSocket& socket,
                                 const std::vector<NetlinkRequest*>& requests,
                                 std::string_view what);

 private:
  struct Free {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  NetlinkRequest(int type, int flags);
  std::unique_ptr<nl_msg, Free> message_;
};

/// The attributes of one message or nest, found by number.
template <std::size_t Max>
class Attributes {
 public:
  template <typename Header>
  Attributes(const nlmsghdr* message, const Header*) {
    nlmsg_parse(const_cast<nlmsghdr*>(message), sizeof(Header), found_, Max, nullptr);
  }
  explicit Attributes(nlattr* nested) {
    if (nested) nla_parse_nested(found_, Max, nested, nullptr);
  }

  [[nodiscard]] nlattr* operator[](std::size_t attribute) const { return found_[attribute]; }
  [[nodiscard]] std::uint32_t u32(std::size_t attribute) const {
    return found_[attribute] ? nla_get_u32(found_[attribute]) : 0;
  }
  [[nodiscard]] std::uint64_t u64(std::size_t attribute) const {
    return found_[attribute] ? nla_get_u64(found_[attribute]) : 0;
  }
  [[nodiscard]] std::uint16_t u16(std::size_t attribute) const {
    return found_[attribute] ? nla_get_u16(found_[attribute]) : std::uint16_t{0};
  }
  [[nodiscard]] std::uint8_t u8(std::size_t attribute) const {
    return found_[attribute] ? nla_get_u8(found_[attribute]) : std::uint8_t{0};
  }
  [[nodiscard]] std::string text(std::size_t attribute) const {
    return found_[attribute] ? nla_get_string(found_[attribute]) : "";
  }
  /// The MAC address in `attribute`; empty if it is not an Ethernet address.
  [[nodiscard]] std::optional<MacAddr> mac(std::size_t attribute) const {
    MacAddr mac;
    if (!found_[attribute] || nla_len(found_[attribute]) != 6) return std::nullopt;
    nla_memcpy(mac.bytes.data(), found_[attribute], 6);
    return mac;
  }
  /// The address in `attribute`; empty if its length fits neither family.
  [[nodiscard]] std::optional<IpAddr> ip(std::size_t attribute) const {
    std::uint8_t bytes[16];
    const int size = found_[attribute] ? nla_memcpy(bytes, found_[attribute], sizeof(bytes)) : 0;
    if (size == 16) return IpAddr::v6(bytes);
    if (size != 4) return std::nullopt;
    return IpAddr::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  }

 private:
  nlattr* found_[Max + 1] = {};
};

}  // namespace kubecni
