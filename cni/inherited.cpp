#include "inherited.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

namespace kubecni {

namespace {

/// open(2) takes the lowest free number, so ascending order fills each gap.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    const int access = fd == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", access) != fd) ::_exit(EXIT_FAILURE);  // there is nowhere to report it
  }
}

}  // namespace

void shed_inherited_state() {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);
  ::umask(022);
}

}  // namespace kubecni
