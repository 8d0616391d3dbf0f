#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace kubecni::test {

using Clock = std::chrono::steady_clock;

/// An address with a port, of either family, as sockets take it.
class SocketAddress {
 public:
  /// Of nobody yet: for accept(2) and recvfrom(2) to fill in.
  SocketAddress() = default;
  SocketAddress(const IpAddr& addr, std::uint16_t port);

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  socklen_t* size_ptr() { return &size_; }
  [[nodiscard]] IpAddr addr() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(storage_);
};

/// A socket that belongs to the namespace. Throws when there is none.
UniqueFd open_socket(const NetNs& netns, int family, int type, int protocol = 0);

/// Gives the socket the local port `port`, on each address. Throws when it is taken.
void bind_port(int fd, int family, std::uint16_t port);

/// Waits until the socket is ready for `events` or has an error to tell.
/// Errors: ETIMEDOUT not before `end`.
Result<> wait_ready(int fd, short events, Clock::time_point end, const std::string& what);

/// Whether a call on a socket that does not block has only to be repeated.
bool is_again(int code);

}  // namespace kubecni::test
