#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace kubecni::test {

/// What a UdpSocket received.
struct Datagram {
  std::string text;
  IpAddr from;
  std::uint16_t port = 0;
};

/// A UDP socket in a namespace, of either family, on a port of its own choice or
/// the kernel's. One socket is one flow, however long it lives.
class UdpSocket {
 public:
  /// Throws when it cannot be bound.
  UdpSocket(const NetNs& netns, int family, std::uint16_t port = 0)
      : UdpSocket(netns, IpAddr::any(family), port) {}
  /// With an address of its own too, which its answers come from.
  UdpSocket(const NetNs& netns, const IpAddr& addr, std::uint16_t port);

  Result<> send(const IpAddr& to, std::uint16_t port, const std::string& text) const;
  /// Waits for the next datagram. Errors: ETIMEDOUT none came.
  [[nodiscard]] Result<Datagram> receive(
      std::chrono::milliseconds deadline = std::chrono::seconds(2)) const;

 private:
  UniqueFd fd_;
};

/// Sends `text` from `client` to `server`, which listens at `to`, and the server's
/// answer back. Returns what the server saw; both have to arrive.
Result<Datagram> ask(const UdpSocket& client, const UdpSocket& server, const IpAddr& to,
                     std::uint16_t port, const std::string& text);

}  // namespace kubecni::test
