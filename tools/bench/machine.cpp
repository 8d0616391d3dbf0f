#include "bench/machine.hpp"

#include "base/file.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <sstream>

namespace kubecni::bench {

namespace {

std::string date_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

std::string cpu_model() {
  std::istringstream lines(read_file("/proc/cpuinfo").value_or(""));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string load() {
  const std::string line = read_file("/proc/loadavg").value_or("");
  return line.substr(0, line.find(' ')) + " (last minute, before the run)";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts() {
  utsname kernel{};
  ::uname(&kernel);
  return {{"date", date_utc()},
          {"kernel", kernel.release},
          {"CPU", cpu_model()},
          {"cores", std::to_string(::sysconf(_SC_NPROCESSORS_ONLN))},
          {"load", load()}};
}

}  // namespace kubecni::bench
