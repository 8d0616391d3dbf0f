#pragma once

#include "base/ip.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace kubecni::test {

/// Sends datagrams from a namespace as fast as it can, from before it has any interface until it is
/// destroyed.
class Impatient {
 public:
  static constexpr std::uint16_t kPort = 80;  ///< that it sends to

  /// Its packets have the mark when they leave the namespace's stack.
  Impatient(const NetNs& netns, std::uint16_t source_port, std::vector<IpAddr> targets,
            std::uint32_t mark = 0)
      : targets_(std::move(targets)) {
    netns.enter([&] { socket_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(source_port);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0)
      throw std::runtime_error("bind");
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
      throw std::runtime_error("SO_MARK");
    thread_ = std::thread([this] { run(); });
  }
  Impatient(const Impatient&) = delete;
  Impatient& operator=(const Impatient&) = delete;
  ~Impatient() {
    is_over_ = true;
    thread_.join();
  }

  /// How many datagrams an interface has taken.
  [[nodiscard]] unsigned sent() const { return sent_; }

 private:
  void run() {
    while (!is_over_) {
      for (const IpAddr& target : targets_) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(kPort);
        std::memcpy(&to.sin_addr, target.data(), sizeof(to.sin_addr));
        if (::sendto(socket_.get(), "x", 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
                     sizeof(to)) == 1)
          ++sent_;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  std::vector<IpAddr> targets_;
  UniqueFd socket_;
  std::atomic<bool> is_over_ = false;
  std::atomic<unsigned> sent_ = 0;
  std::thread thread_;
};

}  // namespace kubecni::test
