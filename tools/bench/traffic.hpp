#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace kubecni::bench {

/// One kind of traffic between a client and a server.
///
/// It is made here, and not by iperf3, sockperf or qperf. A round has some 360 measurements of a
/// fifth of a second, and iperf3 takes a second for one at least. None of the three bounds the
/// datagrams on their way: on one core the sender would leave no time to the receiver, and most
/// would be lost. None counts the CPU time of the kernel's threads. And one program for all works
/// gives them the same start, window and clock.
enum class Work {
  kStream1,   ///< TCP, one connection
  kStream8,   ///< TCP, eight connections
  kRequests,  ///< TCP, one byte there and back, on one connection
  kConnects,  ///< TCP, connect, one byte there and back, close
  kUdp64,     ///< datagrams of 64 bytes of payload, at most 256 on their way
  kUdp1400,
};

struct WorkInfo {
  Work work;
  const char* name;    ///< "tcp-rr", in options and reports
  const char* title;   ///< for people
  const char* unit;    ///< "Gbit/s": of a rate
  double unit_factor;  ///< of the rate in bytes or in transactions or packets a second
  const char* cpu_unit;
  double cpu_factor;  ///< of the CPU seconds for each byte, transaction or packet
};
inline constexpr std::array kWorks{
    WorkInfo{Work::kStream1, "tcp-1", "TCP stream", "Gbit/s", 8e-9, "CPU s/GB", 1e9},
    WorkInfo{Work::kStream8, "tcp-8", "TCP, 8 streams", "Gbit/s", 8e-9, "CPU s/GB", 1e9},
    WorkInfo{Work::kRequests, "tcp-rr", "TCP request-response", "1/s", 1, "CPU us each", 1e6},
    WorkInfo{Work::kConnects, "tcp-crr", "TCP connect-request-response", "1/s", 1, "CPU us each",
             1e6},
    WorkInfo{Work::kUdp64, "udp-64", "UDP, 64 bytes", "1/s", 1, "CPU us each", 1e6},
    WorkInfo{Work::kUdp1400, "udp-1400", "UDP, 1400 bytes", "1/s", 1, "CPU us each", 1e6},
};

/// The two ends of a path. The server listens on `server_port` of all its addresses.
struct PathEnds {
  int client_netns = -1;
  int server_netns = -1;
  IpAddr to;  ///< what the client calls: the server's address, or that of a Service
  std::uint16_t to_port = 8080;
  std::uint16_t server_port = 8080;
};

/// Where client and server run.
enum class Cores {
  kTwo,  ///< each on a core of its own
  kOne,  ///< both on the same core, which is busy all the time: the rate is the path's whole cost
};

/// What was measured in the window.
struct Traffic {
  double per_second = 0;  ///< bytes, transactions or packets that arrived
  double cpu_s = 0;       ///< for each of them, of both threads and the kernel's ksoftirqd
  std::optional<double> p50_us, p99_us;  ///< of kRequests and kConnects
};

/// Reads how much CPU time the kernel's threads for delayed network work have used. Make one
/// outside of a PID namespace, which would hide them.
class SoftirqClock {
 public:
  SoftirqClock();
  [[nodiscard]] double seconds() const;

 private:
  std::array<int, 64> files_{};  ///< of /proc/PID/schedstat, for the process's life
  std::size_t count_ = 0;
};

/// Makes traffic for a fifth of `window`, and then measures it for `window`; longer, if nothing has
/// arrived meanwhile. Needs CAP_SYS_ADMIN and, for kTwo, two cores.
/// Errors: ETIMEDOUT, ECONNREFUSED, ... the server is not reached; EIO nothing arrived within 5 s.
Result<Traffic> measure_traffic(Work work, Cores cores, const PathEnds& ends,
                                std::chrono::milliseconds window, const SoftirqClock& softirqs);

}  // namespace kubecni::bench
