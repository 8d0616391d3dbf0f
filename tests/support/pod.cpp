#include "support/pod.hpp"

#include "sandbox/named_netns.hpp"
#include "support/process.hpp"

#include <sched.h>

#include <exception>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>

namespace kubecni::test {

namespace {

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

NetNs::NetNs(std::string name) : name_(std::move(name)) { fd_ = must(create_netns(path())); }

NetNs::NetNs(NetNs&& other) noexcept
    : name_(std::exchange(other.name_, "")), fd_(std::move(other.fd_)) {}

NetNs::~NetNs() { remove(); }

void NetNs::remove() {
  if (!fd_) return;
  fd_.reset();
  std::ignore = delete_netns(path());
}

void NetNs::enter(const std::function<void()>& body) const {
  on_a_thread([&] {
    if (::setns(fd(), CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter " + path());
    body();
  });
}

IpAddr Pod::address_of(int family) const {
  for (const IpAddr& addr : addresses)
    if (addr.family() == family) return addr;
  throw std::runtime_error(container_id + " has no address of family " + std::to_string(family));
}

}  // namespace kubecni::test
