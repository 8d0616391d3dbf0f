#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <thread>

namespace kubecni {

Result<FileLock> FileLock::acquire(const std::filesystem::path& path,
                                   std::chrono::milliseconds timeout) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return sys_error(errno, "open lock " + path.string());
  // flock(2) has no timeout, so this polls, with pauses that grow from 0.1 ms to 5 ms.
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto pause = std::chrono::microseconds(100);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return sys_error(errno, "lock " + path.string());
    if (std::chrono::steady_clock::now() >= deadline)
      return failure(ETIMEDOUT, "lock " + path.string() + ": another process has kept it for " +
                                    std::to_string(timeout.count()) +
                                    " ms; `fuser -v` on that file names it");
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  }
  return FileLock(std::move(fd));
}

bool FileLock::is_at(const std::filesystem::path& path) const {
  struct stat held{}, named{};
  return ::fstat(fd_.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace kubecni
