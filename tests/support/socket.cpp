#include "support/socket.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace kubecni::test {

SocketAddress::SocketAddress(const IpAddr& addr, std::uint16_t port) {
  if (addr.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, addr.data(), 4);
    std::memcpy(&storage_, &v4, size_ = sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, addr.data(), 16);
    std::memcpy(&storage_, &v6, size_ = sizeof(v6));
  }
}

IpAddr SocketAddress::addr() const {
  std::uint8_t bytes[16];
  if (storage_.ss_family == AF_INET6) {
    std::memcpy(bytes, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, 16);
    return IpAddr::v6(bytes);
  }
  std::memcpy(bytes, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, 4);
  return IpAddr::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

UniqueFd open_socket(const NetNs& netns, int family, int type, int protocol) {
  UniqueFd fd;
  netns.enter([&] { fd.reset(::socket(family, type | SOCK_CLOEXEC, protocol)); });
  if (!fd) throw std::runtime_error("socket in " + netns.name());
  return fd;
}

void bind_port(int fd, int family, std::uint16_t port) {
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const SocketAddress local(IpAddr::any(family), port);
  if (::bind(fd, local.raw(), local.size()) != 0)
    throw std::runtime_error("cannot bind port " + std::to_string(port) + ": " +
                             std::strerror(errno));
}

Result<> wait_ready(int fd, short events, Clock::time_point end, const std::string& what) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  pollfd ready{fd, events, 0};
  const int wait_ms = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  if (::poll(&ready, 1, wait_ms) <= 0) return sys_error(ETIMEDOUT, what);
  return {};
}

bool is_again(int code) { return code == EAGAIN || code == EINTR || code == EINPROGRESS; }

}  // namespace kubecni::test
