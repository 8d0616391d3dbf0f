#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sstream>

namespace kubecni::cnicheck {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kShownBytes = 300;
constexpr int kExecFailed = 127;

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return sys_error(errno, "make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::optional<std::string> path_of(const std::string& program) {
  if (program.contains('/')) return program;
  const char* path = getenv("PATH");
  std::istringstream folders(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    folder += "/" + program;
    if (access(folder.c_str(), X_OK) == 0) return folder;
  }
  return std::nullopt;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* env;
  int in, out, err;
  bool stdin_closed;
  int netns_fd;
  bool (*prepare)();
};

[[noreturn]] void become(const ChildPlan& plan) {
  setsid();
  signal(SIGPIPE, SIG_DFL);
  dup2(plan.in, STDIN_FILENO);
  dup2(plan.out, STDOUT_FILENO);
  dup2(plan.err, STDERR_FILENO);
  if (plan.stdin_closed) close(STDIN_FILENO);
  if (plan.netns_fd >= 0 && setns(plan.netns_fd, CLONE_NEWNET) != 0) _exit(kExecFailed);
  if (plan.prepare && !plan.prepare()) _exit(kExecFailed);
  execve(plan.path, plan.argv, plan.env);
  _exit(kExecFailed);
}

std::string shown(const std::string& text) {
  std::string line = text.substr(0, kShownBytes);
  std::ranges::replace_if(line, [](unsigned char c) { return c < ' '; }, ' ');
  return "\"" + line + (text.size() > kShownBytes ? "...\"" : "\"");
}

/// Writes the rest of `input` to the child, then closes the pipe.
void feed(UniqueFd& pipe, const std::string& input, std::size_t& given) {
  const ssize_t count = write(pipe.get(), input.data() + given, input.size() - given);
  if (count < 0 && errno == EAGAIN) return;
  if (count > 0) given += static_cast<std::size_t>(count);
  if (count < 0 || given == input.size()) pipe.reset();
}

/// Serves the pipes until the process has ended; false when time ran out.
bool serve(Child& child, int pidfd, const std::string& input, Clock::time_point deadline,
           ProcessEnd& end) {
  std::size_t given = 0;
  if (input.empty()) child.in.reset();
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 4> fds{{{pidfd, POLLIN, 0},
                               {child.in.get(), POLLOUT, 0},
                               {child.out.get(), POLLIN, 0},
                               {child.err.get(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), static_cast<int>(left)) < 0 && errno != EINTR) return false;
    if (fds[1].revents) feed(child.in, input, given);
    if (fds[2].revents && !read_available(child.out.get(), end.out)) child.out.reset();
    if (fds[3].revents && !read_available(child.err.get(), end.err)) child.err.reset();
    if (!fds[0].revents) continue;
    if (child.out) read_available(child.out.get(), end.out);
    if (child.err) read_available(child.err.get(), end.err);
    return true;
  }
}

}  // namespace

std::string ProcessEnd::describe() const {
  std::string text = timed_out ? "no end within the time limit" : "exit status ";
  if (!timed_out) text += std::to_string(status);
  if (!out.empty()) text += ", stdout " + shown(out);
  if (!err.empty()) text += ", stderr " + shown(err);
  return text;
}

bool read_available(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    into.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

Result<Child> spawn(const ProcessSpec& spec, bool (*prepare)()) {
  const auto path = path_of(spec.program);
  if (!path || access(path->c_str(), X_OK) != 0)
    return sys_error(ENOENT, "execute " + spec.program);
  auto in = make_pipe();
  if (!in) return fail(in);
  auto out = make_pipe();
  if (!out) return fail(out);
  auto err = make_pipe();
  if (!err) return fail(err);

  std::vector<std::string> words{*path};
  words.insert(words.end(), spec.args.begin(), spec.args.end());
  const auto argv = pointers(words);
  const auto env = pointers(spec.env);
  const ChildPlan plan{path->c_str(),     argv.data(),      env.data(),
                       in->read.get(),    out->write.get(), err->write.get(),
                       spec.stdin_closed, spec.netns_fd,    prepare};
  const pid_t pid = fork();
  if (pid < 0) return sys_error(errno, "fork");
  if (pid == 0) become(plan);
  for (const int fd : {in->write.get(), out->read.get(), err->read.get()})
    fcntl(fd, F_SETFL, O_NONBLOCK);
  return Child{pid, std::move(in->write), std::move(out->read), std::move(err->read)};
}

Result<ProcessEnd> run_process(const ProcessSpec& spec) {
  const auto start = Clock::now();
  auto child = spawn(spec);
  if (!child) return fail(child);
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child->pid, 0)));

  ProcessEnd end;
  end.timed_out = !serve(*child, pidfd.get(), spec.input, start + spec.timeout, end);
  if (end.timed_out) kill(-child->pid, SIGKILL);
  int status = 0;
  while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  end.status = exit_status(status);
  end.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  return end;
}

}  // namespace kubecni::cnicheck
