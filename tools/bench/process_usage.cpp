#include "bench/process_usage.hpp"

#include "base/file.hpp"

#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <utility>

namespace kubecni::bench {

namespace {

constexpr std::uint64_t kKb = 1024;
constexpr const char* kProbeThread = "probe\n";  // in its `comm`

Result<std::chrono::milliseconds> cpu_of(const std::filesystem::path& folder) {
  auto stat = read_file(folder / "stat");
  if (!stat) return fail(stat);
  auto ticks = cpu_ticks_in_stat(*stat);
  if (!ticks) return fail(ticks);
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::chrono::milliseconds(*ticks * 1000 / ticks_per_second);
}

/// Of the threads with that name; one that ends meanwhile counts for nothing.
Result<std::chrono::milliseconds> cpu_of_threads(const std::filesystem::path& tasks,
                                                 const std::string& name) {
  auto threads = list_directory(tasks);
  if (!threads) return fail(threads);
  std::chrono::milliseconds sum{};
  for (const auto& thread : *threads)
    if (read_file(tasks / thread / "comm").value_or("") == name)
      sum += cpu_of(tasks / thread).value_or(std::chrono::milliseconds());
  return sum;
}

}  // namespace

Result<std::uint64_t> number_in_status(const std::string& status, const std::string& name) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream value(line.substr(name.size() + 1));
    if (std::uint64_t number = 0; value >> number) return number;
  }
  return failure(EBADMSG, "no " + name + " in the status of the process");
}

Result<std::uint64_t> cpu_ticks_in_stat(const std::string& stat) {
  // What follows the name, in parentheses, is numbers; utime and stime are the 14th
  // and 15th field, the state is the 3rd.
  const auto end_of_name = stat.rfind(')');
  std::istringstream fields(end_of_name == std::string::npos ? "" : stat.substr(end_of_name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0, system = 0;
  if (fields >> user >> system) return user + system;
  return failure(EBADMSG, "the stat of the process is \"" + stat + "\"");
}

Result<ProcessUsage> usage_of(pid_t pid) {
  const std::filesystem::path proc = "/proc/" + std::to_string(pid);
  auto status = read_file(proc / "status");
  if (!status) return fail(status);
  auto cpu = cpu_of(proc);
  if (!cpu) return fail(cpu);
  auto probe_cpu = cpu_of_threads(proc / "task", kProbeThread);
  if (!probe_cpu) return fail(probe_cpu);
  auto open_files = list_directory(proc / "fd");
  if (!open_files) return fail(open_files);
  ProcessUsage usage{.open_files = static_cast<unsigned>(open_files->size()),
                     .cpu = *cpu,
                     .probe_cpu = *probe_cpu};
  for (const auto& [name, bytes] : {std::pair{"VmRSS", &usage.resident},
                                    {"RssAnon", &usage.anonymous},
                                    {"VmHWM", &usage.peak_resident}}) {
    auto kb = number_in_status(*status, name);
    if (!kb) return fail(kb);
    *bytes = *kb * kKb;
  }
  auto threads = number_in_status(*status, "Threads");
  if (!threads) return fail(threads);
  usage.threads = static_cast<unsigned>(*threads);
  return usage;
}

}  // namespace kubecni::bench
