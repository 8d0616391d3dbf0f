#include "system_calls.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace kubecni::cnicheck {

namespace {

constexpr auto kCalls = std::to_array<unsigned>({
    SYS_write,     SYS_writev,     SYS_pwrite64,  SYS_pwritev,  SYS_sendto,          SYS_sendmsg,
    SYS_sendmmsg,  SYS_openat,     SYS_mkdirat,   SYS_unlinkat, SYS_renameat2,       SYS_linkat,
    SYS_symlinkat, SYS_mknodat,    SYS_ftruncate, SYS_truncate, SYS_fallocate,       SYS_fchmodat,
    SYS_fchmod,    SYS_fchown,     SYS_fchownat,  SYS_mount,    SYS_umount2,         SYS_bpf,
    SYS_ioctl,     SYS_setsockopt, SYS_utimensat, SYS_sendfile, SYS_copy_file_range, SYS_renameat,
#ifdef __x86_64__
    SYS_open,      SYS_creat,      SYS_mkdir,     SYS_rmdir,    SYS_unlink,          SYS_rename,
    SYS_link,      SYS_symlink,    SYS_chmod,     SYS_chown,
#endif
});

/// One comparison per call; each jumps over those behind it to the last
/// statement, which stops.
constexpr auto make_filter() {
  std::array<sock_filter, kCalls.size() + 3> filter{};
  filter[0] = {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)};
  for (std::size_t i = 0; i < kCalls.size(); ++i)
    filter[i + 1] = {BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(kCalls.size() - i), 0,
                     kCalls[i]};
  filter[kCalls.size() + 1] = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  filter[kCalls.size() + 2] = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE};
  return filter;
}

template <typename T>
bool peek(pid_t task, std::uint64_t address, T& into) {
  const iovec local{&into, sizeof(into)};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
  const iovec remote{reinterpret_cast<void*>(address), sizeof(into)};
  return process_vm_readv(task, &local, 1, &remote, 1, 0) == sizeof(into);
}

/// Only rtnetlink marks queries by number: the third of each group of four.
bool is_query(pid_t task, std::uint64_t message) {
  nlmsghdr header{};
  if (!peek(task, message, header)) return false;
  return header.nlmsg_type >= RTM_BASE && header.nlmsg_type < RTM_MAX &&
         (header.nlmsg_type - RTM_BASE) % 4 == 2;
}

bool is_query_message(pid_t task, std::uint64_t message_header) {
  msghdr header{};
  iovec first{};
  return peek(task, message_header, header) && header.msg_iovlen > 0 &&
         peek(task, reinterpret_cast<std::uint64_t>(header.msg_iov), first) &&
         is_query(task, reinterpret_cast<std::uint64_t>(first.iov_base));
}

/// Pipes, sockets and event counters are the process's own; netlink sockets are
/// written to with sendto(2) or sendmsg(2) by every library we know.
bool is_file(pid_t task, std::uint64_t fd) {
  if (fd <= STDERR_FILENO) return false;
  const auto link = "/proc/" + std::to_string(task) + "/fd/" + std::to_string(fd);
  std::array<char, 8> target{};
  return readlink(link.c_str(), target.data(), target.size()) < 1 || target[0] == '/';
}

bool is_changing_bpf(std::uint64_t command) {
  switch (command) {
    case BPF_MAP_UPDATE_ELEM:
    case BPF_MAP_DELETE_ELEM:
    case BPF_MAP_UPDATE_BATCH:
    case BPF_MAP_DELETE_BATCH:
    case BPF_OBJ_PIN:
    case BPF_PROG_ATTACH:
    case BPF_PROG_DETACH:
    case BPF_LINK_CREATE:
    case BPF_LINK_UPDATE:
    case BPF_LINK_DETACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool stop_at_changing_calls() {
  static constinit auto filter = make_filter();
  const sock_fprog program{filter.size(), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool is_change(pid_t task) {
  __ptrace_syscall_info info{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, task, sizeof(info), &info) <= 0) return true;
  if (info.op != PTRACE_SYSCALL_INFO_SECCOMP) return true;
  const auto* args = info.seccomp.args;
  constexpr std::uint64_t kCreating = O_CREAT | O_TRUNC;
  switch (info.seccomp.nr) {
    case SYS_write:
    case SYS_writev:
      return is_file(task, args[0]);
    case SYS_setsockopt:
      return args[1] == IPPROTO_IP || args[1] == IPPROTO_IPV6;  // iptables sets its rules so
#ifdef __x86_64__
    case SYS_open:
      return (args[1] & kCreating) != 0;
#endif
    case SYS_openat:
      return (args[2] & kCreating) != 0;
    case SYS_sendto:
      return !is_query(task, args[1]);
    case SYS_sendmsg:
      return !is_query_message(task, args[1]);
    case SYS_bpf:
      return is_changing_bpf(args[0]);
    default:
      return true;
  }
}

}  // namespace kubecni::cnicheck
