#pragma once

#include "base/unique_fd.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {

/// A free TCP port of 127.0.0.1. Throws if there is none.
int free_port();

/// Passes TCP connections on to a server on 127.0.0.1, and makes them half-open on
/// demand: both ends stay connected, and no byte arrives any more.
class Relay {
 public:
  /// Listens on a port of 127.0.0.1 that is free. Throws when it cannot.
  explicit Relay(int server_port);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& scheme = "http") const;
  /// How many connections there were so far.
  [[nodiscard]] int connections() const { return connections_; }

  /// The present connections become half-open; later ones work.
  void freeze() { frozen_below_ = connections_.load(); }
  /// The next connection becomes half-open; all others work.
  void freeze_next() { frozen_ = connections_.load(); }
  /// All connections become half-open, later ones, too.
  void freeze_all();

 private:
  struct Connection;
  void run();
  void accept(std::vector<Connection>& open);

  int server_port_;
  int port_ = 0;
  UniqueFd listener_;
  UniqueFd stop_;
  std::atomic<int> connections_{0};
  std::atomic<int> frozen_below_{0};  ///< connections with a smaller number are half-open
  std::atomic<int> frozen_{-1};       ///< the number of one more that is
  std::thread thread_;
};

}  // namespace kubecni::test
