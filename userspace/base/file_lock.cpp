#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <string>

namespace kubecni {

namespace {

/// Ends the blocking calls of the calling thread with EINTR after a time, as long as it exists.
class Interruption {
 public:
  explicit Interruption(std::chrono::milliseconds delay) {
    struct sigaction action{};
    action.sa_handler = [](int) {};  // by default, the signal would end the process
    ::sigaction(SIGRTMIN, &action, nullptr);
    sigset_t ours;
    ::sigemptyset(&ours);
    ::sigaddset(&ours, SIGRTMIN);
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);

    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event._sigev_un._tid = ::gettid();
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
      error_ = errno;
      return;
    }
    const auto seconds = std::chrono::floor<std::chrono::seconds>(delay);
    const std::chrono::nanoseconds rest = delay - seconds;
    // Again every 10 ms: the first signal may come right before the call blocks.
    const itimerspec times{.it_interval = {.tv_sec = 0, .tv_nsec = 10'000'000},
                           .it_value = {.tv_sec = seconds.count(), .tv_nsec = rest.count()}};
    ::timer_settime(timer_, 0, &times, nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() {
    if (error_ == 0) ::timer_delete(timer_);
  }

  /// Of timer_create(2); 0: there is a timer.
  [[nodiscard]] int error() const { return error_; }

 private:
  timer_t timer_{};
  int error_ = 0;
};

/// Waits in flock(2), which serves those who wait in the order of their coming; who would try now
/// and then could be unlucky for seconds. Returns 0 or an error number; EWOULDBLOCK: too late.
int lock(int fd, std::chrono::milliseconds timeout) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
  if (errno != EWOULDBLOCK || timeout.count() == 0) return errno;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const Interruption interruption(timeout);
  if (interruption.error() != 0) return interruption.error();
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return errno;
    if (std::chrono::steady_clock::now() >= deadline) return EWOULDBLOCK;
  }
  return 0;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& path,
                                   std::chrono::milliseconds timeout) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return sys_error(errno, "open lock " + path.string());
  const int error = lock(fd.get(), timeout);
  if (error == EWOULDBLOCK)
    return failure(ETIMEDOUT, "lock " + path.string() + ": another process has kept it for " +
                                  std::to_string(timeout.count()) +
                                  " ms; `fuser -v` on that file names it");
  if (error != 0) return sys_error(error, "lock " + path.string());
  return FileLock(std::move(fd));
}

bool FileLock::is_at(const std::filesystem::path& path) const {
  struct stat held{}, named{};
  return ::fstat(fd_.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace kubecni
