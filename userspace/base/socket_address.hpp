#pragma once

#include "base/ip.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace kubecni {

/// The kernel's form of an IP address with a port. As made, it is empty and takes what
/// getsockname(2) and the like write.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  static SocketAddress of(const IpAddr& ip, std::uint16_t port);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] std::uint16_t port() const;  ///< of AF_INET and AF_INET6
};

/// The IP address in `address`, which is of AF_INET or AF_INET6.
IpAddr ip_of(const sockaddr* address);

}  // namespace kubecni
