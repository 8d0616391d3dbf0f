#include "support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace kubecni::test {

namespace {

constexpr int kCannotRun = 127;  // as a shell has it

std::string text_of(int memfd) {
  std::string text;
  char buffer[4096];
  for (ssize_t size;
       (size = ::pread(memfd, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

/// A descriptor that yields `input` and then ends: a pipe, like a runtime's, or a file if the input
/// does not fit a pipe.
UniqueFd readable(const std::string& input) {
  constexpr std::size_t kPipeBytes = 64 << 10;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  if (input.size() > kPipeBytes) {
    writer.reset(::memfd_create("stdin", MFD_CLOEXEC));
    reader.reset(
        ::open(("/proc/self/fd/" + std::to_string(writer.get())).c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (::write(writer.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    throw std::runtime_error("the input does not fit");
  return reader;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Our environment without the variables that `env` has too, and `env`.
std::vector<std::string> environment_with(const std::vector<std::string>& env) {
  std::vector<std::string> all = env;
  for (char** entry = environ; *entry; ++entry) {
    const std::string name(*entry, std::strcspn(*entry, "=") + 1);
    bool replaced = false;
    for (const auto& ours : env) replaced = replaced || ours.starts_with(name);
    if (!replaced) all.emplace_back(*entry);
  }
  return all;
}

}  // namespace

Process::Process(const Command& command)
    : out_(::memfd_create("stdout", MFD_CLOEXEC)), err_(::memfd_create("stderr", MFD_CLOEXEC)) {
  const UniqueFd input = readable(command.input);
  const auto argv = pointers(command.argv);
  const auto environment = environment_with(command.env);
  const auto envp = pointers(environment);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {  // only what is safe after a fork in a threaded program
    const bool moved = command.netns_fd < 0 || ::setns(command.netns_fd, CLONE_NEWNET) == 0;
    ::dup2(input.get(), STDIN_FILENO);
    ::dup2(out_.get(), STDOUT_FILENO);
    ::dup2(err_.get(), STDERR_FILENO);
    if (command.before_exec) command.before_exec();
    if (moved) ::execvpe(argv[0], argv.data(), envp.data());
    ::dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], ::strerror(errno));
    ::_exit(kCannotRun);
  }
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      wait_status_(other.wait_status_),
      reaped_(other.reaped_),
      pidfd_(std::move(other.pidfd_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Process::~Process() {
  if (pid_ < 0 || reaped_) return;
  signal(SIGKILL);
  reap(kDeadline);
}

bool Process::reap(std::chrono::milliseconds deadline) {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (!reaped_ && ::poll(&ended, 1, static_cast<int>(deadline.count())) > 0)
    reaped_ = ::waitpid(pid_, &wait_status_, 0) == pid_;
  return reaped_;
}

bool Process::is_running() { return !reap(std::chrono::milliseconds(0)); }

void Process::signal(int number) {
  if (!reaped_) ::kill(pid_, number);
}

Outcome Process::wait(std::chrono::milliseconds deadline) {
  const bool in_time = reap(deadline);
  if (!in_time) {
    signal(SIGKILL);
    reap(kDeadline);
  }
  const int status =
      WIFEXITED(wait_status_) ? WEXITSTATUS(wait_status_) : 128 + WTERMSIG(wait_status_);
  return {in_time ? status : -1, out(), err()};
}

std::string Process::err() const { return text_of(err_.get()); }
std::string Process::out() const { return text_of(out_.get()); }

Outcome run(const Command& command, std::chrono::milliseconds deadline) {
  return Process(command).wait(deadline);
}

std::string must_run(const Command& command, std::chrono::milliseconds deadline) {
  auto outcome = run(command, deadline);
  if (outcome.status == 0) return outcome.out;
  std::string text;
  for (const auto& word : command.argv) text += word + " ";
  throw std::runtime_error(text + "-> " + std::to_string(outcome.status) + ": " + outcome.out +
                           outcome.err);
}

}  // namespace kubecni::test
