#include "metrics/process_metrics.hpp"

#include "base/file.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace kubecni {

namespace {

double seconds(const timeval& time) {
  constexpr double kMicrosecondsPerSecond = 1e6;
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / kMicrosecondsPerSecond;
}

}  // namespace

Families process_metrics() {
  auto cpu = counter("process_cpu_seconds_total", "CPU time that kube-cnid has used, in seconds");
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0)
    add(cpu, {}, seconds(used.ru_utime) + seconds(used.ru_stime));

  auto memory =
      gauge("process_resident_memory_bytes", "Memory of kube-cnid that is resident, in bytes");
  unsigned long long pages = 0;
  const auto statm = read_file("/proc/self/statm");  // proc(5): the second is resident
  if (statm && std::sscanf(statm->c_str(), "%*u %llu", &pages) == 1)
    add(memory, {}, std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));

  auto files = gauge("process_open_fds", "File descriptors that kube-cnid has open");
  if (const auto open = list_directory("/proc/self/fd"))
    add(files, {}, std::uint64_t{open->size()});
  return {std::move(cpu), std::move(memory), std::move(files)};
}

}  // namespace kubecni
