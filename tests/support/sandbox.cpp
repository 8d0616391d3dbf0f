#include "support/sandbox.hpp"

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/link.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCgroupPrefix = "kube-cni-test-";
constexpr const char* kOverlayFolder = "/run/overlay";

pid_t outer_pid = 0;

/// A cgroup with nothing in it is removed like a directory, its children first.
void remove_cgroup(const fs::path& path) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored))
    if (entry.is_directory(ignored)) remove_cgroup(entry.path());
  ::rmdir(path.c_str());
}

bool is_over(const std::string& cgroup) {
  const int pid = std::atoi(cgroup.c_str() + std::strlen(kCgroupPrefix));
  return pid == ::getpid() || (::kill(pid, 0) != 0 && errno == ESRCH);
}

/// Removes our cgroups and those of runs that were killed.
void remove_cgroups() {
  std::error_code ignored;
  std::vector<fs::path> roots{"/sys/fs/cgroup"};
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup", ignored))
    if (entry.is_directory(ignored)) roots.push_back(entry.path());
  for (const auto& root : roots) {
    for (const auto& entry : fs::directory_iterator(root, ignored)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(kCgroupPrefix) && is_over(name)) remove_cgroup(entry.path());
    }
  }
}

Result<> mount_at(const char* type, const fs::path& target, const std::string& options = "") {
  if (::mount(type, target.c_str(), type, 0, options.c_str()) == 0) return {};
  return sys_error(errno, std::string("mount ") + type + " on " + target.string());
}

/// What is written below `path` from now on goes to memory.
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

Result<> set_up_mounts() {
  if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return sys_error(errno, "make mounts private");
  if (auto done = mount_at("proc", "/proc"); !done) return done;
  if (auto done = make_empty("/run"); !done) return done;
  for (const char* path : {"/etc", "/opt", "/var/lib"})
    if (auto done = make_private(path); !done) return done;
  for (const char* path : {"/etc/cni", "/opt/cni"})
    if (auto done = make_empty(path); !done) return done;
  fs::create_directories("/run/netns");
  fs::create_directories("/run/tmp");
  ::setenv("TMPDIR", "/run/tmp", 1);
  return mount_at("bpf", "/sys/fs/bpf", "mode=700");
}

Result<> set_up() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0)
    return sys_error(errno, "unshare");
  try {
    if (auto done = set_up_mounts(); !done) return done;
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

/// Process 1 of the sandbox: it reaps what the others leave, and takes all of
/// them along when it ends.
[[noreturn]] void run_init(const std::function<int()>& body) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (auto done = set_up(); !done) {
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

int run_in_sandbox(const std::function<int()>& body) {
  outer_pid = ::getpid();
  remove_cgroups();
  const UniqueFd own_pid_ns(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  if (::unshare(CLONE_NEWPID) != 0) {
    std::perror("sandbox: unshare");
    return 1;
  }
  const pid_t init = ::fork();
  if (init == 0) run_init(body);
  // Threads that start here later, like that of LeakSanitizer, belong here.
  ::setns(own_pid_ns.get(), CLONE_NEWPID);
  int status = 0;
  if (init < 0 || ::waitpid(init, &status, 0) != init) {
    std::perror("sandbox");
    return 1;
  }
  remove_cgroups();
  return exit_status(status);
}

std::string sandbox_cgroup() { return kCgroupPrefix + std::to_string(outer_pid); }

}  // namespace kubecni::test
