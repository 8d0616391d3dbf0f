#include "kill_points.hpp"

#include "system_calls.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

namespace kubecni::cnicheck {

namespace {

constexpr long kTraceOptions = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                               PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

/// In the child: the tracer sets its options at this stop, then the filter asks
/// it about each system call that may change something.
bool await_tracer() {
  return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 && raise(SIGSTOP) == 0 &&
         stop_at_changing_calls();
}

/// Kills the process group of `leader` after `timeout`, unless the watch is destroyed before.
class Watchdog {
 public:
  Watchdog(pid_t leader, std::chrono::milliseconds timeout)
      : thread_([this, leader, timeout](const std::stop_token& stop) {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, stop, timeout, [&] { return stop.stop_requested(); })) return;
          if (stop.stop_requested()) return;
          fired_ = true;
          kill(-leader, SIGKILL);
        }) {}
  /// Stops the watch. Returns whether it had to kill the process.
  bool fired() {
    thread_.request_stop();
    thread_.join();
    return fired_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool fired_ = false;
  std::jthread thread_;
};

/// Follows one traced execution from its first stop to the end of its last task.
class Tracer {
 public:
  Tracer(pid_t leader, std::optional<unsigned> kill_before)
      : leader_(leader), kill_before_(kill_before), tasks_{leader} {}

  void follow() {
    for (;;) {
      int status = 0;
      const pid_t task = waitpid(-1, &status, __WALL);
      if (task < 0 && errno == EINTR) continue;
      if (task < 0) return;  // ECHILD: all have ended
      if (!WIFSTOPPED(status)) {
        tasks_.erase(task);
        if (task == leader_) leader_status_ = status;
        continue;
      }
      tasks_.insert(task);
      const int deliver = handle_stop(task, status);
      ptrace(PTRACE_CONT, task, nullptr, deliver);
    }
  }

  [[nodiscard]] unsigned changes() const { return changes_; }
  [[nodiscard]] bool killed() const { return killed_; }
  [[nodiscard]] int leader_status() const { return leader_status_; }

 private:
  /// Returns the signal to pass on to the task.
  int handle_stop(pid_t task, int status) {
    const int event = status >> 16;
    const int signal = WSTOPSIG(status);
    if (!options_set_) {
      options_set_ = true;
      ptrace(PTRACE_SETOPTIONS, task, nullptr, kTraceOptions);
      return 0;
    }
    if (event == PTRACE_EVENT_SECCOMP && !killed_ && is_change(task)) {
      ++changes_;
      if (changes_ == kill_before_) kill_all();
    }
    // A new task begins with a SIGSTOP of ptrace's own.
    return event != 0 || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
  }

  void kill_all() {
    killed_ = true;
    for (const pid_t task : tasks_) kill(task, SIGKILL);
    kill(-leader_, SIGKILL);
  }

  pid_t leader_;
  std::optional<unsigned> kill_before_;
  std::set<pid_t> tasks_;
  bool options_set_ = false;
  bool killed_ = false;
  unsigned changes_ = 0;
  int leader_status_ = 0;
};

}  // namespace

Result<TracedEnd> run_traced(const ProcessSpec& spec, std::optional<unsigned> kill_before) {
  const auto start = std::chrono::steady_clock::now();
  auto child = spawn(spec, &await_tracer);
  if (!child) return fail(child);
  // The pipe's buffer holds a whole network configuration.
  if (write(child->in.get(), spec.input.data(), spec.input.size()) !=
      static_cast<ssize_t>(spec.input.size())) {
    kill(child->pid, SIGKILL);
    waitpid(child->pid, nullptr, 0);
    return failure(E2BIG, "the input of a traced plugin does not fit a pipe");
  }
  child->in.reset();

  Watchdog watchdog(child->pid, spec.timeout);
  Tracer tracer(child->pid, kill_before);
  tracer.follow();

  TracedEnd traced{tracer.changes(), tracer.killed(), {}};
  traced.end.timed_out = watchdog.fired();
  traced.end.status = exit_status(tracer.leader_status());
  read_available(child->out.get(), traced.end.out);
  read_available(child->err.get(), traced.end.err);
  traced.end.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  if (traced.end.status == 127 && traced.changes == 0)
    return failure(EPERM, "this host does not let us trace and filter system calls");
  return traced;
}

std::vector<unsigned> spread(unsigned changes, unsigned limit) {
  std::vector<unsigned> numbers;
  const unsigned count = std::min(changes, limit);
  numbers.reserve(count);
  for (unsigned i = 0; i < count; ++i)
    numbers.push_back(count == 1 ? 1 : 1 + i * (changes - 1) / (count - 1));
  return numbers;
}

}  // namespace kubecni::cnicheck
