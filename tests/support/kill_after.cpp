// kill_after N[n] PROGRAM [ARG...]: runs the program and ends it with SIGKILL right
// after the N-th of its system calls that may change something outside of it; with "t", of its
// transactions of nftables. Only its first thread counts. Prints the name of that call to standard
// error and exits with 0; if the program ended before, exits with 3.

#include "support/kill_after.hpp"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kFailed = 125;

/// The call's name if it may change files, links, maps or programs; else null.
const char* changing(const __ptrace_syscall_info& info) {
  const auto& args = info.entry.args;
  switch (info.entry.nr) {
    case SYS_bpf:
      return "bpf";
    case SYS_sendmsg:
      return "sendmsg";  // netlink
    case SYS_sendto:
      return "sendto";
    case SYS_openat:
      return args[2] & (O_CREAT | O_TRUNC) ? "openat" : nullptr;
    case SYS_open:
      return args[1] & (O_CREAT | O_TRUNC) ? "open" : nullptr;
    case SYS_write:
      return "write";
    case SYS_ftruncate:
      return "ftruncate";
    case SYS_fallocate:
      return "fallocate";
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
      return "rename";
    case SYS_link:
    case SYS_linkat:
      return "link";
    case SYS_unlink:
    case SYS_unlinkat:
      return "unlink";
    case SYS_mkdir:
    case SYS_mkdirat:
      return "mkdir";
    case SYS_mount:
      return "mount";
    default:
      return nullptr;
  }
}

template <typename Value>
Value read_from(pid_t process, std::uint64_t address) {
  Value value{};
  iovec here{.iov_base = &value, .iov_len = sizeof(value)};
  iovec there{.iov_base = reinterpret_cast<void*>(address), .iov_len = sizeof(value)};
  ::process_vm_readv(process, &here, 1, &there, 1, 0);
  return value;
}

/// Whether the call sends a transaction of nftables.
bool is_transaction(pid_t process, const __ptrace_syscall_info& info) {
  if (info.entry.nr != SYS_sendmsg) return false;
  const auto message = read_from<msghdr>(process, info.entry.args[1]);
  const auto part = read_from<iovec>(process, reinterpret_cast<std::uint64_t>(message.msg_iov));
  const auto first = read_from<nlmsghdr>(process, reinterpret_cast<std::uint64_t>(part.iov_base));
  return message.msg_iovlen > 0 && first.nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

int run(unsigned long count, bool only_transactions, char** argv) {
  const pid_t child = ::fork();
  if (child < 0) return kFailed;
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::execv(argv[0], argv);
    ::_exit(127);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return kFailed;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  const char* name = nullptr;
  unsigned long seen = 0;
  int deliver = 0;
  while (::ptrace(PTRACE_SYSCALL, child, nullptr, deliver) == 0 &&
         ::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    deliver = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
    __ptrace_syscall_info info{};
    if (deliver != 0 || ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0)
      continue;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
      name = !only_transactions || is_transaction(child, info) ? changing(info) : nullptr;
    if (info.op != PTRACE_SYSCALL_INFO_EXIT || !name || ++seen != count) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    std::fprintf(stderr, "%s\n", name);
    return 0;
  }
  return WIFEXITED(status) ? kubecni::test::kEndedBefore : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return kFailed;
  char* unit = nullptr;
  const unsigned long count = std::strtoul(argv[1], &unit, 10);
  return run(count, *unit == 't', argv + 2);
}
