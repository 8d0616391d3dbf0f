#include "support/sandbox.hpp"

#include "sandbox/sandbox.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace kubecni::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCgroupPrefix = "kube-cni-test-";

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

Result<> hide_the_machines_folders() {
  for (const char* path : {"/etc", "/opt", "/var/lib"})
    if (auto done = make_private(path); !done) return done;
  for (const char* path : {"/etc/cni", "/opt/cni"})
    if (auto done = make_empty(path); !done) return done;
  return {};
}

}  // namespace

int run_in_sandbox(const std::function<int()>& body) {
  outer_pid = ::getpid();
  remove_cgroups();
  const int status = kubecni::run_in_sandbox(hide_the_machines_folders, body);
  remove_cgroups();
  return status;
}

std::string sandbox_cgroup() { return kCgroupPrefix + std::to_string(outer_pid); }

}  // namespace kubecni::test
