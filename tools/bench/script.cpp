#include "bench/script.hpp"

#include "base/subprocess.hpp"

#include <cerrno>
#include <chrono>

namespace kubecni::bench {

namespace {

constexpr std::chrono::seconds kDeadline{60};
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kShown = 400;

}  // namespace

Result<> run_script(const std::string& script) {
  auto end = run_subprocess(
      {.program = "/bin/sh", .env = {kPath}, .input = "set -e\n" + script, .deadline = kDeadline});
  if (!end) return fail(end);
  if (end->status == 0) return {};
  return failure(EIO, "a script ended with status " + std::to_string(end->status) + ": " +
                          script.substr(0, kShown));
}

}  // namespace kubecni::bench
