#pragma once

#include "base/ip.hpp"
#include "base/unique_fd.hpp"
#include "support/pod.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace kubecni::test {

/// Sends numbered datagrams from one pod to another at a steady pace, until it is destroyed.
class UdpStream {
 public:
  struct Figures {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
    /// The longest time by which a datagram came later than the one before it, beyond the time
    /// between the two when they were sent; if some between them were lost, all of the time.
    std::chrono::microseconds longest_gap{0};
  };

  UdpStream(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned per_second);
  UdpStream(const UdpStream&) = delete;
  UdpStream& operator=(const UdpStream&) = delete;
  ~UdpStream();

  /// What happened since the last call. Waits up to 2 s for what is on the way.
  Figures take();

 private:
  struct Label {
    std::uint64_t number;
    std::int64_t sent_ns;
  };
  void send_all();
  void receive_all();
  void note(const Label& label, std::int64_t arrived_ns);
  [[nodiscard]] std::uint64_t arrived() const;

  unsigned per_second_;
  UniqueFd client_;
  UniqueFd server_;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::uint64_t sent_before_ = 0;  ///< of what take() has reported
  std::uint64_t lost_before_ = 0;

  mutable std::mutex mutex_;
  std::vector<bool> has_arrived_;  ///< by number
  std::uint64_t arrived_ = 0;
  Label last_{};
  std::int64_t last_arrived_ns_ = 0;
  std::int64_t longest_gap_ns_ = 0;

  std::thread sender_;
  std::thread receiver_;
};

}  // namespace kubecni::test
