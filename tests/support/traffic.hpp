#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace kubecni::test {

inline constexpr std::chrono::seconds kTrafficDeadline{5};

/// Sends one ICMP echo request from `from` to `to`, with `source` as its sender
/// if given, and waits for the answer. Errors: ETIMEDOUT no answer.
Result<> ping(const NetNs& from, const IpAddr& to, std::optional<IpAddr> source = std::nullopt,
              std::chrono::milliseconds deadline = kTrafficDeadline);

/// Sends `count` datagrams from `client` to `server` at `to`, one after another, and
/// each of them back. Errors: ETIMEDOUT one did not arrive; EBADMSG other bytes did.
Result<> udp_echo(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned count = 5);

/// One TCP connection, over which the client sends bytes of a pattern, and the
/// server checks each of them and says so in the end.
class TcpTransfer {
 public:
  struct Options {
    const NetNs& client;
    const NetNs& server;
    IpAddr to;                         ///< what the client connects to
    std::uint16_t port = 5001;         ///< that it connects to
    std::uint16_t server_port = port;  ///< that the server listens on
    std::uint64_t bytes = 1 << 20;
    std::uint64_t bytes_per_second = 0;  ///< 0: as fast as it goes
    std::uint64_t seed = 1;              ///< of the pattern
    std::chrono::seconds deadline{30};   ///< for all of it
  };

  /// Listens; the transfer goes on by itself. Throws when it cannot listen.
  explicit TcpTransfer(const Options& options);
  TcpTransfer(const TcpTransfer&) = delete;
  TcpTransfer& operator=(const TcpTransfer&) = delete;
  ~TcpTransfer();

  /// How much arrived and was right so far.
  [[nodiscard]] std::uint64_t bytes_received() const { return received_; }
  /// Whether it is in mid-stream.
  [[nodiscard]] bool is_running() const { return received_ > 0 && received_ < options_.bytes; }
  /// Whose address the server saw.
  [[nodiscard]] std::string client_address() const { return client_address_; }

  /// Waits for the end. Errors: ETIMEDOUT; EBADMSG a byte was wrong; those of
  /// connect(2), send(2) and recv(2).
  Result<> finish();

 private:
  using Clock = std::chrono::steady_clock;

  Result<> serve();
  Result<> send_all();
  Result<> wait_for(int fd, short events, const char* what) const;

  Options options_;
  Clock::time_point end_;
  UniqueFd listener_;
  UniqueFd client_;
  std::atomic<std::uint64_t> received_ = 0;
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

}  // namespace kubecni::test
