#pragma once

#include "support/node.hpp"
#include "support/traffic.hpp"
#include "support/udp.hpp"

#include <nlohmann/json.hpp>

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace kubecni::test {

// Limits of pods' bandwidth, and the rates that come through. Rates are in bits per second.

inline constexpr double kTolerance = 0.05;
inline constexpr unsigned kEthernetHeader = 14;

inline nlohmann::json limited_to(double ingress, double egress = 0) {
  // The bursts are containerd's.
  return {{"runtimeConfig",
           {{"bandwidth",
             {{"ingressRate", static_cast<std::uint64_t>(ingress)},
              {"ingressBurst", 4'294'967'295},
              {"egressRate", static_cast<std::uint64_t>(egress)},
              {"egressBurst", 4'294'967'295}}}}}};
}

/// How fast `bytes` grows, in bits per second, once it does so steadily.
inline double measure(const std::function<std::uint64_t()>& bytes) {
  constexpr std::chrono::milliseconds kStart{700}, kLength{2200};
  std::this_thread::sleep_for(kStart);
  // A reading ends with what it reads, however long it takes on a busy machine.
  const std::uint64_t before = bytes();
  const auto from = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(kLength);
  const std::uint64_t after = bytes();
  const auto to = std::chrono::steady_clock::now();
  return 8 * static_cast<double>(after - before) / std::chrono::duration<double>(to - from).count();
}

/// The rate of the frames that `flows` TCP connections make with full segments.
inline double tcp_rate(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned flows,
                       unsigned mtu = 1500) {
  std::vector<std::unique_ptr<TcpTransfer>> transfers;
  for (unsigned i = 0; i < flows; ++i)
    transfers.push_back(std::make_unique<TcpTransfer>(
        TcpTransfer::Options{.client = client,
                             .server = server,
                             .to = to,
                             .port = static_cast<std::uint16_t>(5001 + i),
                             .bytes = TcpTransfer::kUntilFinish}));
  const double payload = measure([&] {
    std::uint64_t received = 0;
    for (const auto& transfer : transfers) received += transfer->bytes_received();
    return received;
  });
  const unsigned headers = (to.family() == AF_INET ? 20 : 40) + 20 + 12;  // with timestamps
  return payload * (mtu + kEthernetHeader) / (mtu - headers);
}

/// The bytes of the frames that came in by the pod's interface.
inline std::uint64_t received_by(const Pod& pod) {
  const auto link = nlohmann::json::parse(
      Node::must_run_in(pod.netns, {"ip", "-j", "-s", "link", "show", "dev", pod.ifname}));
  return link[0]["stats64"]["rx"]["bytes"];
}

/// Calls `send` about `per_second` times a second, until it is destroyed.
class Flood {
 public:
  Flood(unsigned per_second, std::function<void()> send)
      : thread_([this, per_second, send = std::move(send)] {
          constexpr std::chrono::milliseconds kStep{2};
          for (auto next = std::chrono::steady_clock::now(); !stop_; next += kStep) {
            for (unsigned i = 0; i < per_second * kStep.count() / 1000; ++i) send();
            std::this_thread::sleep_until(next);
          }
        }) {}
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  ~Flood() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// Datagrams that fill frames of 1514 bytes.
class UdpFlood {
 public:
  UdpFlood(const Pod& from, const Pod& to, unsigned per_second)
      : socket_(from.netns, AF_INET), flood_(per_second, [this, &to] {
          (void)socket_.send(to.address, 9, std::string(1472, 'x'));
        }) {}

 private:
  UdpSocket socket_;
  Flood flood_;
};

}  // namespace kubecni::test
