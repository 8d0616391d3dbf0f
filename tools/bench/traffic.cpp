#include "bench/traffic.hpp"

#include "base/file.hpp"
#include "bench/traffic_loops.hpp"
#include "net/netns.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace kubecni::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// The CPUs that this process may use.
std::vector<unsigned> own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

/// A thread with a core of its own, and the clock of its CPU time.
class PinnedThread {
 public:
  template <typename Body>
  PinnedThread(unsigned cpu, Body body)
      : thread_([cpu, body = std::move(body)] {
          cpu_set_t set;
          CPU_ZERO(&set);
          CPU_SET(cpu, &set);
          ::sched_setaffinity(0, sizeof(set), &set);
          body();
        }) {}

  /// While the thread runs.
  double cpu_seconds() {
    clockid_t clock{};
    timespec used{};
    if (::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 ||
        ::clock_gettime(clock, &used) != 0)
      return 0;
    return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
  }

 private:
  std::jthread thread_;
};

struct Reading {
  Clock::time_point at;
  std::uint64_t units = 0;
  double cpu = 0;
};

/// Lets at least `time` pass, and on a busy machine more, until something has arrived meanwhile.
void let_pass(std::chrono::milliseconds time, const TrafficLoops& loops) {
  constexpr std::chrono::seconds kLongest{5};
  constexpr std::chrono::milliseconds kPoll{2};
  const auto end = Clock::now() + kLongest;
  const auto units = loops.units();
  std::this_thread::sleep_for(time);
  while (loops.units() == units && Clock::now() < end) std::this_thread::sleep_for(kPoll);
}

/// A reading during which this thread was not interrupted, if there is one: its parts belong
/// together.
template <typename Read>
Reading read_at_once(Read read) {
  constexpr int kTries = 50;
  constexpr std::chrono::microseconds kShort{100};
  Reading reading;
  for (int i = 0; i < kTries; ++i) {
    reading = read();
    if (Clock::now() - reading.at < kShort) break;
  }
  return reading;
}

/// `share` of the sorted latencies of a window, in us.
double quantile_us(const std::vector<std::uint32_t>& sorted_ns, double share) {
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted_ns.size() - 1));
  return sorted_ns[rank] / 1e3;
}

Result<Traffic> summarize(const TrafficLoops& loops, const Reading& before, const Reading& after) {
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  const auto units = static_cast<double>(after.units - before.units);
  if (units == 0) return failure(EIO, "nothing arrived");
  Traffic traffic{.per_second = units / seconds,
                  .cpu_s = (after.cpu - before.cpu) / units,
                  .p50_us = {},
                  .p99_us = {}};
  std::vector<std::uint32_t> ns = loops.latencies(before.units, after.units);
  if (ns.empty()) return traffic;
  std::ranges::sort(ns);
  traffic.p50_us = quantile_us(ns, 0.5);
  traffic.p99_us = quantile_us(ns, 0.99);
  return traffic;
}

}  // namespace

SoftirqClock::SoftirqClock() {
  for (const auto& name : list_directory("/proc").value_or(std::vector<std::string>{})) {
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0 || count_ == files_.size()) continue;
    const auto comm = read_file("/proc/" + name + "/comm");
    if (!comm || !comm->starts_with("ksoftirqd/")) continue;
    const int file = ::open(("/proc/" + name + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0) files_[count_++] = file;
  }
}

double SoftirqClock::seconds() const {
  double sum = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    char text[128] = {};
    if (::pread(files_[i], text, sizeof(text) - 1, 0) > 0)
      sum += 1e-9 * static_cast<double>(std::strtoull(text, nullptr, 10));
  }
  return sum;
}

Result<Traffic> measure_traffic(Work work, Cores cores, const PathEnds& ends,
                                std::chrono::milliseconds window, const SoftirqClock& softirqs) {
  const auto cpus = own_cpus();
  if (cpus.size() < 2 && cores == Cores::kTwo) return failure(EINVAL, "there is only one core");
  auto loops = TrafficLoops::connect(work, ends);
  if (!loops) return fail(loops);
  TrafficLoops& traffic = **loops;
  Reading before, after;
  {
    PinnedThread server(cores == Cores::kTwo ? cpus[1] : cpus[0], [&] { traffic.run_server(); });
    PinnedThread client(cpus[0], [&] { traffic.run_client(); });
    const auto read = [&] {
      return read_at_once([&] {
        return Reading{Clock::now(), traffic.units(),
                       server.cpu_seconds() + client.cpu_seconds() + softirqs.seconds()};
      });
    };
    let_pass(window / 5, traffic);
    before = read();
    let_pass(window, traffic);
    after = read();
    traffic.stop();
  }
  return summarize(traffic, before, after);
}

}  // namespace kubecni::bench
