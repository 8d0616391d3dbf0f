#include "bench/spawn.hpp"

#include "net/netns.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace kubecni::bench {

Result<BackgroundProcess> BackgroundProcess::start(int netns_fd, std::vector<std::string> argv,
                                                   const std::filesystem::path& log) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (auto& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                     O_CREAT | O_WRONLY | O_TRUNC, 0600);
  pid_t pid = -1;
  const auto inside = NetnsGuard::enter(netns_fd);
  const int error = inside ? ::posix_spawn(&pid, words[0], &actions, nullptr, words.data(), environ)
                           : inside.error().code;
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return sys_error(error, "start " + argv[0]);
  return BackgroundProcess(pid);
}

BackgroundProcess::BackgroundProcess(BackgroundProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)) {}

BackgroundProcess& BackgroundProcess::operator=(BackgroundProcess&& other) noexcept {
  end();
  pid_ = std::exchange(other.pid_, -1);
  return *this;
}

void BackgroundProcess::end() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace kubecni::bench
