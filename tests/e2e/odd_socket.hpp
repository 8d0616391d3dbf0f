#pragma once

#include "base/ip.hpp"
#include "base/unique_fd.hpp"
#include "support/packet.hpp"
#include "support/pod.hpp"
#include "support/socket.hpp"

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace kubecni::test {

/// What an ICMP error says to the socket that sent the packet.
struct HeardError {
  int code = 0;           ///< an errno
  IpAddr from;            ///< who sent the error
  std::uint32_t mtu = 0;  ///< EMSGSIZE
};

/// A socket for datagrams, or for packets of any protocol above IP.
class OddSocket {
 public:
  /// Throws when there is none. Port 0: any; raw sockets have none.
  OddSocket(const NetNs& netns, int family, int type, int protocol, std::uint16_t port = 0);

  /// Throws when the kernel does not know the option.
  template <typename Value>
  void set(int level, int name, const Value& value) const {
    set_bytes(level, name, &value, sizeof(value));
  }
  void set_bytes(int level, int name, const void* value, socklen_t size) const;
  /// Sends no packet that has to be cut, and hears errors. The other methods are as usual.
  void want_errors() const;
  void set_hops(int hops) const;

  /// Errors: those of sendto(2), also of earlier packets.
  Result<> send(const IpAddr& to, std::uint16_t port, const Frame& bytes) const;
  /// The next datagram, or what follows the IP header; empty: none came in time.
  [[nodiscard]] Frame receive(std::chrono::milliseconds deadline = std::chrono::seconds(3)) const;
  /// The next error that came; empty: none in time. Needs want_errors().
  [[nodiscard]] std::optional<HeardError> next_error(
      std::chrono::milliseconds deadline = std::chrono::seconds(3)) const;

 private:
  int family_;
  bool is_raw_;
  UniqueFd fd_;
};

/// Bytes that differ from each other, so that a shift is seen.
Frame pattern(std::size_t bytes);

}  // namespace kubecni::test
