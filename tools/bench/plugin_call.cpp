#include "bench/plugin_call.hpp"

#include "base/unique_fd.hpp"
#include "net/netns.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <cerrno>
#include <thread>

namespace kubecni::bench {

namespace {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
constexpr std::chrono::milliseconds kTimeout{60000};

/// The reading end of a pipe that holds `input` and then ends.
Result<UniqueFd> pipe_with(const std::string& input) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return sys_error(errno, "make a pipe");
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  if (::fcntl(writer.get(), F_SETFL, O_NONBLOCK) != 0 ||
      ::write(writer.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    return sys_error(errno, "fill the plugin's standard input");
  return reader;
}

std::string content_of(const UniqueFd& memfd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count;
       (count = ::pread(memfd.get(), buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  return text;
}

std::chrono::microseconds cpu_of(const rusage& usage) {
  const auto total = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

/// A call, prepared as far as possible without starting the plugin.
class ReadyCall {
 public:
  static Result<ReadyCall> prepare(const PluginCall& call) {
    auto input = pipe_with(call.input);
    if (!input) return fail(input);
    UniqueFd out(::memfd_create("stdout", MFD_CLOEXEC));
    UniqueFd err(::memfd_create("stderr", MFD_CLOEXEC));
    if (!out || !err) return sys_error(errno, "make a file for the plugin's output");
    return ReadyCall(call, std::move(*input), std::move(out), std::move(err));
  }

  /// In the namespace of the calling thread.
  Result<CallEnd> run() {
    CallEnd end;
    end.started = Clock::now();
    pid_t pid = -1;
    if (const int error = start(pid); error != 0)
      return sys_error(error, "execute " + call_->program);
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd exited{pidfd.get(), POLLIN, 0};
    const bool in_time = ::poll(&exited, 1, static_cast<int>(kTimeout.count())) == 1;
    if (!in_time) ::kill(pid, SIGKILL);
    int status = 0;
    rusage usage{};
    if (::wait4(pid, &status, 0, &usage) != pid)
      return sys_error(errno, "wait for " + call_->program);
    end.ended = Clock::now();
    if (!in_time) return failure(ETIMEDOUT, call_->program + " did not end within 60 s");
    end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    end.cpu = cpu_of(usage);
    end.out = content_of(out_);
    end.err = content_of(err_);
    return end;
  }

 private:
  ReadyCall(const PluginCall& call, UniqueFd input, UniqueFd out, UniqueFd err)
      : call_(&call), input_(std::move(input)), out_(std::move(out)), err_(std::move(err)) {
    for (const auto& entry : call.env) env_.push_back(const_cast<char*>(entry.c_str()));
    env_.push_back(nullptr);
  }

  /// posix_spawn(3) starts a program like Go's runtime, without a copy of this process
  /// (CLONE_VFORK). Returns an errno.
  int start(pid_t& pid) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input_.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out_.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err_.get(), STDERR_FILENO);
    char* const argv[] = {const_cast<char*>(call_->program.c_str()), nullptr};
    const int error =
        ::posix_spawn(&pid, call_->program.c_str(), &actions, nullptr, argv, env_.data());
    ::posix_spawn_file_actions_destroy(&actions);
    return error;
  }

  const PluginCall* call_;
  std::vector<char*> env_;
  UniqueFd input_, out_, err_;
};

/// Runs on its own thread. Always reaches the barrier.
Result<CallEnd> run_on_signal(int netns_fd, const PluginCall& call, std::barrier<>& start) {
  const auto inside = NetnsGuard::enter(netns_fd);
  auto ready = ReadyCall::prepare(call);
  start.arrive_and_wait();
  if (!inside) return std::unexpected(inside.error());
  if (!ready) return fail(ready);
  return ready->run();
}

}  // namespace

Result<std::vector<CallEnd>> run_at_once(int netns_fd, const std::vector<PluginCall>& calls) {
  std::vector<Result<CallEnd>> ends(calls.size());
  std::barrier start(static_cast<std::ptrdiff_t>(calls.size()));
  std::vector<std::jthread> threads;
  threads.reserve(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i)
    threads.emplace_back([&, i] { ends[i] = run_on_signal(netns_fd, calls[i], start); });
  threads.clear();  // joins them

  std::vector<CallEnd> all;
  for (auto& end : ends) {
    if (!end) return fail(end);
    all.push_back(std::move(*end));
  }
  return all;
}

}  // namespace kubecni::bench
