#pragma once

#include "base/ip.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace kubecni::test {

/// Many TCP connections from one pod to another. Each sends a pattern of its own at a steady pace,
/// and each byte that arrives is compared, until finish().
class TcpConnections {
 public:
  struct Figures {
    std::uint64_t bytes = 0;  ///< that arrived
    std::uint64_t wrong = 0;  ///< of these
    std::uint64_t reset = 0;  ///< connections that ended, or at the end lacked bytes
  };

  /// Connects. Throws when that fails.
  TcpConnections(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned count,
                 unsigned bytes_per_second);
  TcpConnections(const TcpConnections&) = delete;
  TcpConnections& operator=(const TcpConnections&) = delete;
  ~TcpConnections();

  /// So far.
  [[nodiscard]] Figures figures() const { return {bytes_, wrong_, reset_}; }
  /// Stops sending, and waits for what is on the way.
  Figures finish();

 private:
  struct Connection {
    UniqueFd client;
    UniqueFd server;
    std::atomic<std::uint64_t> sent = 0;
    std::atomic<std::uint64_t> received = 0;
    std::atomic<bool> is_broken = false;
  };
  void send_all();
  void receive_all();
  void send_some(Connection& connection, std::uint64_t seed, std::vector<std::uint8_t>& buffer);
  void receive_some(Connection& connection, std::uint64_t seed, std::vector<std::uint8_t>& buffer);
  void break_off(Connection& connection);

  unsigned bytes_per_second_;
  std::vector<Connection> connections_;
  std::atomic<bool> stop_sending_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> wrong_ = 0;
  std::atomic<std::uint64_t> reset_ = 0;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace kubecni::test
