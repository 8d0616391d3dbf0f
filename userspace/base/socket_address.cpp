#include "base/socket_address.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace kubecni {

SocketAddress SocketAddress::of(const IpAddr& ip, std::uint16_t port) {
  SocketAddress address;
  if (ip.is_v4()) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&v4.sin_addr, ip.data(), sizeof(v4.sin_addr));
    std::memcpy(&address.storage, &v4, sizeof(v4));
    address.size = sizeof(v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.data(), sizeof(v6.sin6_addr));
    std::memcpy(&address.storage, &v6, sizeof(v6));
    address.size = sizeof(v6);
  }
  return address;
}

std::uint16_t SocketAddress::port() const {
  return ntohs(storage.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                   : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

IpAddr ip_of(const sockaddr* address) {
  if (address->sa_family == AF_INET6)
    return IpAddr::v6(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr);
  std::uint8_t bytes[4];
  std::memcpy(bytes, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, sizeof(bytes));
  return IpAddr::v4(bytes);
}

}  // namespace kubecni
