#include "sandbox/sandbox.hpp"

#include "base/unique_fd.hpp"
#include "net/link.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace kubecni {

namespace fs = std::filesystem;

namespace {

constexpr const char* kOverlayFolder = "/run/overlay";

Result<> mount_at(const char* type, const fs::path& target, const std::string& options = "") {
  if (::mount(type, target.c_str(), type, 0, options.c_str()) == 0) return {};
  return sys_error(errno, std::string("mount ") + type + " on " + target.string());
}

Result<> set_up_mounts() {
  if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return sys_error(errno, "make mounts private");
  if (auto done = mount_at("proc", "/proc"); !done) return done;
  if (auto done = make_empty("/run"); !done) return done;
  fs::create_directories("/run/netns");
  fs::create_directories("/run/tmp");
  ::setenv("TMPDIR", "/run/tmp", 1);
  return mount_at("bpf", "/sys/fs/bpf", "mode=700");
}

Result<> set_up(const std::function<Result<>()>& prepare) {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0)
    return sys_error(errno, "unshare");
  try {
    if (auto done = set_up_mounts(); !done) return done;
    if (auto done = prepare(); !done) return done;
  } catch (const fs::filesystem_error& error) {
    return failure(error.code().value(), error.what());
  }
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  return set_link_up(*netlink, 1);
}

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/// Process 1 of the sandbox: it reaps orphans, and ends every process when it ends.
[[noreturn]] void run_init(const std::function<Result<>()>& prepare,
                           const std::function<int()>& body) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (auto done = set_up(prepare); !done) {
    std::fprintf(stderr, "sandbox: %s\n", done.error().what.c_str());
    ::_exit(1);
  }
  const pid_t worker = ::fork();
  if (worker == 0) std::exit(body());
  int status = 0;
  for (pid_t ended = 0; ended != worker;) {
    ended = ::wait(&status);
    if (ended < 0 && errno != EINTR) break;
  }
  ::_exit(worker > 0 ? exit_status(status) : 1);
}

}  // namespace

Result<> make_private(const fs::path& path) {
  const fs::path folder = kOverlayFolder + path.string();
  fs::create_directories(folder / "upper");
  fs::create_directories(folder / "work");
  return mount_at("overlay", path,
                  "lowerdir=" + path.string() + ",upperdir=" + (folder / "upper").string() +
                      ",workdir=" + (folder / "work").string());
}

Result<> make_empty(const fs::path& path) {
  fs::create_directories(path);
  return mount_at("tmpfs", path, "mode=755");
}

int run_in_sandbox(const std::function<Result<>()>& prepare, const std::function<int()>& body) {
  const UniqueFd own_pid_ns(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  if (::unshare(CLONE_NEWPID) != 0) {
    std::perror("sandbox: unshare");
    return 1;
  }
  const pid_t init = ::fork();
  if (init == 0) run_init(prepare, body);
  // Threads that start later, like LeakSanitizer's, belong to this namespace.
  ::setns(own_pid_ns.get(), CLONE_NEWPID);
  int status = 0;
  if (init < 0 || ::waitpid(init, &status, 0) != init) {
    std::perror("sandbox");
    return 1;
  }
  return exit_status(status);
}

}  // namespace kubecni
