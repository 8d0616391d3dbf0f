#include "bench/script.hpp"

#include "base/subprocess.hpp"

#include <cerrno>
#include <chrono>

namespace kubecni::bench {

namespace {

constexpr std::chrono::seconds kScriptDeadline{60};
constexpr const char* kScriptPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kScriptShown = 400;

}  // namespace

Result<> run_script(const std::string& script) {
  auto end = run_subprocess({.program = "/bin/sh",
                             .env = {kScriptPath},
                             .input = "set -e\n" + script,
                             .deadline = kScriptDeadline});
  if (!end) return fail(end);
  if (end->status == 0) return {};
  return failure(EIO, "a script ended with status " + std::to_string(end->status) + ": " +
                          script.substr(0, kScriptShown));
}

}  // namespace kubecni::bench
