#include "support/pod.hpp"

#include "net/link.hpp"
#include "net/netns.hpp"
#include "support/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

namespace kubecni::test {

namespace {

constexpr unsigned kLoopbackIfindex = 1;
constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

/// Runs `body` on a thread of its own, since a namespace belongs to a thread.
void on_a_thread(const std::function<void()>& body) {
  std::exception_ptr thrown;
  std::thread thread([&] {
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

NetNs::NetNs(std::string name) : name_(std::move(name)) {
  const UniqueFd mount_point(::open(path().c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!mount_point) throw std::runtime_error(path() + " exists already, or cannot be made");
  on_a_thread([this] {
    if (::unshare(CLONE_NEWNET) != 0 ||
        ::mount(kOwnNetns, path().c_str(), nullptr, MS_BIND, nullptr) != 0)
      throw std::runtime_error("cannot make network namespace " + name_);
    auto netlink = must(NetlinkSocket::open());
    must(set_link_up(netlink, kLoopbackIfindex));
  });
  fd_ = must(open_netns(path()));
}

NetNs::NetNs(NetNs&& other) noexcept
    : name_(std::exchange(other.name_, "")), fd_(std::move(other.fd_)) {}

NetNs::~NetNs() { remove(); }

void NetNs::remove() {
  if (!fd_) return;
  fd_.reset();
  ::umount2(path().c_str(), MNT_DETACH);
  ::unlink(path().c_str());
}

void NetNs::enter(const std::function<void()>& body) const {
  on_a_thread([&] {
    if (::setns(fd(), CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter " + path());
    body();
  });
}

}  // namespace kubecni::test
