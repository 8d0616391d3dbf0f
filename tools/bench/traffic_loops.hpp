#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "bench/traffic.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace kubecni::bench {

/// The loops of client and server of one measurement, each for a thread of its own.
class TrafficLoops {
 public:
  /// Opens the sockets, and connects them. Errors: those of measure_traffic().
  static Result<std::unique_ptr<TrafficLoops>> connect(Work work, const PathEnds& ends);
  TrafficLoops(const TrafficLoops&) = delete;
  TrafficLoops& operator=(const TrafficLoops&) = delete;
  ~TrafficLoops() = default;

  void run_server();
  void run_client();
  /// Both return soon.
  void stop();

  /// What has arrived so far: bytes, transactions or packets.
  [[nodiscard]] std::uint64_t units() const { return units_.load(std::memory_order_relaxed); }
  /// The ns of the transactions of these numbers, if the work has such. After both ended.
  [[nodiscard]] std::vector<std::uint32_t> latencies(std::uint64_t from, std::uint64_t to) const;

 private:
  TrafficLoops(Work work, const PathEnds& ends) : work_(work), ends_(ends) {}
  Result<> open_tcp();
  Result<> open_udp();
  [[nodiscard]] bool is_over() const { return over_.load(std::memory_order_relaxed); }
  void add(std::uint64_t units) { units_.fetch_add(units, std::memory_order_relaxed); }
  void took(std::uint64_t ns);

  void send_streams();
  void receive_streams();
  void send_requests();
  void answer_requests();
  void make_connections();
  void accept_connections();
  void send_datagrams(std::size_t bytes);
  void receive_datagrams();
  void await_room();

  Work work_;
  PathEnds ends_;
  UniqueFd listener_;  ///< of UDP: the server's socket
  std::vector<UniqueFd> client_, server_;
  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> units_ = 0;
  std::vector<std::uint32_t> latencies_;
  // Datagrams. The client sleeps on `progress_` when too many are on their way.
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::atomic<std::uint32_t> progress_ = 0;
  std::atomic<bool> is_waiting_ = false;
};

}  // namespace kubecni::bench
