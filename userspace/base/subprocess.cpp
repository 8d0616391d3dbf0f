#include "base/subprocess.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace kubecni {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxOutputBytes = 16 << 20;

/// A file in memory: unlike a pipe it takes all of the input at once, and its output need not be
/// read while the program runs.
Result<UniqueFd> memory_file(std::string_view content) {
  UniqueFd fd(::memfd_create("subprocess", MFD_CLOEXEC));
  if (!fd) return sys_error(errno, "make a file in memory");
  while (!content.empty()) {
    const ssize_t written = ::write(fd.get(), content.data(), content.size());
    if (written < 0) return sys_error(errno, "fill a file in memory");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

/// What posix_spawn(3) does in the child.
class SpawnPlan {
 public:
  SpawnPlan(int stdin_fd, int stdout_fd, bool takes_errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, stdin_fd, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, stdout_fd, STDOUT_FILENO);
    if (takes_errors) ::posix_spawn_file_actions_adddup2(&actions_, stdout_fd, STDERR_FILENO);
    // Not every library closes its own on exec. A child that stays, like BIRD, would keep them
    // open.
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    // Our parent may have blocked or ignored signals.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  Result<pid_t> spawn(const Subprocess& subprocess) {
    std::vector<char*> env;
    env.reserve(subprocess.env.size() + 1);
    for (const auto& entry : subprocess.env) env.push_back(const_cast<char*>(entry.c_str()));
    env.push_back(nullptr);
    std::vector<char*> argv{const_cast<char*>(subprocess.program.c_str())};
    for (const auto& arg : subprocess.args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, subprocess.program.c_str(), &actions_, &attributes_,
                                    argv.data(), env.data());
    if (error != 0) return sys_error(error, "execute " + subprocess.program.string());
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Whether the process ended before `end`.
bool ends_before(int pidfd, Clock::time_point end) {
  pollfd event{.fd = pidfd, .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    const int ready = ::poll(&event, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready >= 0 || errno != EINTR) return ready != 0;
  }
}

Result<int> wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return sys_error(errno, "wait for process " + std::to_string(pid));
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<SubprocessEnd> run_subprocess(const Subprocess& subprocess) {
  const auto end = Clock::now() + subprocess.deadline;
  auto input = memory_file(subprocess.input);
  if (!input) return fail(input);
  auto output = memory_file("");
  if (!output) return fail(output);
  auto pid = SpawnPlan(input->get(), output->get(), subprocess.takes_errors).spawn(subprocess);
  if (!pid) return fail(pid);

  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  const bool in_time = pidfd && ends_before(pidfd.get(), end);
  if (!in_time) ::kill(*pid, SIGKILL);
  auto status = wait_for(*pid);
  if (!status) return fail(status);
  if (!in_time)
    return failure(ETIMEDOUT, subprocess.program.string() + " did not end within " +
                                  std::to_string(subprocess.deadline.count()) +
                                  " ms, and was killed");
  ::lseek(output->get(), 0, SEEK_SET);
  auto out = read_all(output->get(), kMaxOutputBytes);
  if (!out) return fail(out, "output of " + subprocess.program.string());
  return SubprocessEnd{*status, std::move(*out)};
}

}  // namespace kubecni
