#pragma once

#include "support/pod.hpp"
#include "support/udp.hpp"

#include <atomic>
#include <string>
#include <thread>

namespace kubecni::test {

/// Sends one datagram after another from one pod to another and back, until stopped.
class Conversation {
 public:
  Conversation(const Pod& from, const Pod& to)
      : client_(from.netns, to.address.family()),
        server_(to.netns, to.address.family(), kPort),
        to_(to.address) {
    thread_ = std::thread([this] {
      while (!stopped_) {
        const bool arrived = ask(client_, server_, to_, kPort, std::to_string(asked_)).has_value();
        lost_ += arrived ? 0 : 1;
        ++asked_;
      }
    });
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() { stop(); }

  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] unsigned asked() const { return asked_; }
  [[nodiscard]] unsigned lost() const { return lost_; }

 private:
  static constexpr std::uint16_t kPort = 5010;
  UdpSocket client_;
  UdpSocket server_;
  IpAddr to_;
  std::atomic<bool> stopped_ = false;
  std::atomic<unsigned> asked_ = 0;
  std::atomic<unsigned> lost_ = 0;
  std::thread thread_;
};

}  // namespace kubecni::test
