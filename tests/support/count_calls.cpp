// count_calls PROGRAM [ARG...]: runs the program, prints how many system calls
// it made as the last line of standard error, and exits as the program did.

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace {
constexpr int kFailed = 125;
}

int main(int argc, char** argv) {
  if (argc < 2) return kFailed;
  const pid_t child = ::fork();
  if (child < 0) return kFailed;
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::execv(argv[1], argv + 1);
    ::_exit(127);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return kFailed;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  unsigned long stops = 0;  // two a call: on its way in and out
  int deliver = 0;
  while (::ptrace(PTRACE_SYSCALL, child, nullptr, deliver) == 0 &&
         ::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    const bool is_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
    deliver = is_call ? 0 : WSTOPSIG(status);
    if (is_call) ++stops;
  }
  std::fprintf(stderr, "\n%lu\n", stops / 2);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}
