#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"
#include "support/socket.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

namespace kubecni::test {

inline constexpr std::chrono::seconds kTrafficDeadline{5};

/// Sends one ICMP echo request from `from` to `to`, with `source` as its sender
/// if given, and waits for the answer. Errors: ETIMEDOUT no answer.
Result<> ping(const NetNs& from, const IpAddr& to, std::optional<IpAddr> source = std::nullopt,
              std::chrono::milliseconds deadline = kTrafficDeadline);

/// An exchange of datagrams.
struct UdpEcho {
  const NetNs& client;
  const NetNs& server;
  IpAddr to;                         ///< what the client sends to
  std::uint16_t port = 5002;         ///< that it sends to
  std::uint16_t server_port = port;  ///< that the server listens on
  std::uint16_t source_port = 0;     ///< that the client sends from; 0: any
  unsigned count = 5;
  std::chrono::seconds deadline = kTrafficDeadline;
};

/// Sends `count` datagrams from the client to the server, one after another, and each of them back.
/// Returns the source address that the server saw.
/// Errors: ETIMEDOUT one did not arrive; EBADMSG wrong bytes arrived; ECONNREFUSED an ICMP error
/// said that nobody listens.
Result<IpAddr> udp_echo(const UdpEcho& echo);
Result<> udp_echo(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned count = 5);

/// Sends a datagram to where nobody listens, and waits for the ICMP error about it.
/// Errors: ETIMEDOUT none came; EBADMSG a datagram did.
Result<> udp_refused(const NetNs& client, const IpAddr& to, std::uint16_t port = 5003);

/// One TCP connection: the client sends bytes of a pattern, the server checks each of them and
/// reports at the end.
class TcpTransfer {
 public:
  /// As many bytes as it takes until finish() is called, and some after it.
  static constexpr std::uint64_t kUntilFinish = UINT64_MAX;

  struct Options {
    const NetNs& client;
    const NetNs& server;
    IpAddr to;                           ///< what the client connects to
    std::uint16_t port = 5001;           ///< that it connects to
    std::uint16_t server_port = port;    ///< that the server listens on
    std::uint16_t source_port = 0;       ///< that the client connects from; 0: any
    std::uint64_t bytes = 1 << 20;       ///< or kUntilFinish
    std::uint64_t bytes_per_second = 0;  ///< 0: as fast as it goes
    std::uint64_t seed = 1;              ///< of the pattern
    std::chrono::seconds deadline{bytes == kUntilFinish ? 120 : 30};  ///< for all of it
  };

  /// Listens; the transfer goes on by itself. Throws when it cannot listen.
  explicit TcpTransfer(const Options& options);
  TcpTransfer(const TcpTransfer&) = delete;
  TcpTransfer& operator=(const TcpTransfer&) = delete;
  ~TcpTransfer();

  /// How much arrived and was right so far.
  [[nodiscard]] std::uint64_t bytes_received() const { return received_; }
  /// The source address that the server saw.
  [[nodiscard]] std::string client_address() const { return client_address_; }

  /// Waits for the end. Errors: ETIMEDOUT; EBADMSG a byte was wrong; those of
  /// connect(2), send(2) and recv(2).
  Result<> finish();

 private:
  Result<> serve();
  Result<> send_all();
  Result<> wait_for(int fd, short events, const char* what) const;

  Options options_;
  Clock::time_point end_;
  UniqueFd listener_;
  UniqueFd client_;
  std::atomic<std::uint64_t> received_ = 0;
  std::atomic<std::uint64_t> bytes_;  ///< of the whole transfer, as far as that is known
  std::atomic<bool> is_finishing_ = false;
  std::atomic<bool> stop_ = false;
  std::string client_address_;
  Result<> served_;
  Result<> sent_;
  std::thread server_thread_;
  std::thread client_thread_;
};

/// A whole transfer of `bytes` from `client` to `server` at `to`.
Result<> tcp_transfer(const NetNs& client, const NetNs& server, const IpAddr& to,
                      std::uint64_t bytes = 1 << 20);

/// One TCP connection that lives as long as the object. Either side sends only when the test says
/// so.
class TcpConnection {
 public:
  struct Options {
    const NetNs& client;
    const NetNs& server;
    IpAddr to;
    std::uint16_t port = 5004;
    std::uint16_t server_port = port;
    std::uint16_t source_port = 0;
  };

  /// Connects. Throws when that fails within kTrafficDeadline.
  explicit TcpConnection(const Options& options);

  /// Sends `bytes` of a pattern, and waits until the other side has each of them.
  /// Errors: ETIMEDOUT; EBADMSG a byte was wrong; those of send(2) and recv(2), such
  /// as ECONNRESET.
  Result<> client_sends(std::size_t bytes = 100'000) { return send(client_, server_, bytes); }
  Result<> server_sends(std::size_t bytes = 100'000) { return send(server_, client_, bytes); }

  /// The source address that the server sees.
  [[nodiscard]] IpAddr client_address() const { return client_address_; }

 private:
  Result<> send(const UniqueFd& from, const UniqueFd& to, std::size_t bytes);

  UniqueFd client_;
  UniqueFd server_;
  IpAddr client_address_;
  std::uint64_t sent_ = 0;  ///< by both, so that no two messages are alike
};

}  // namespace kubecni::test
