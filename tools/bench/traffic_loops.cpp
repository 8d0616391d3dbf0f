#include "bench/traffic_loops.hpp"

#include "net/netns.hpp"

#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

namespace kubecni::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStreamChunk = 128 << 10;
constexpr std::size_t kMaxTransactions = 4 << 20;
constexpr std::uint64_t kOnTheirWay = 256;  // datagrams
constexpr timeval kPatience{.tv_sec = 3, .tv_usec = 0};
constexpr timeval kLook{.tv_sec = 0, .tv_usec = 50'000};  // how soon a loop sees its end
constexpr int kSocketBuffer = 4 << 20;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddr& addr, std::uint16_t port) {
  SocketAddress made;
  if (addr.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&made.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, addr.data(), 4);
    made.length = sizeof(*in);
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    std::memcpy(&in6->sin6_addr, addr.data(), 16);
    made.length = sizeof(*in6);
  }
  return made;
}

template <typename Value>
void set_option(int fd, int level, int option, const Value& value) {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

/// A socket of the namespace, and of it for good.
Result<UniqueFd> socket_in(int netns_fd, int family, int type) {
  const auto inside = NetnsGuard::enter(netns_fd);
  if (!inside) return std::unexpected(inside.error());
  UniqueFd fd(::socket(family, type | SOCK_CLOEXEC, 0));
  if (!fd) return sys_error(errno, "make a socket");
  return fd;
}

Result<UniqueFd> server_socket(const PathEnds& ends, int type) {
  const int family = ends.to.family();
  auto fd = socket_in(ends.server_netns, family, type);
  if (!fd) return fd;
  set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
  const auto at = socket_address(IpAddr::any(family), ends.server_port);
  if (::bind(fd->get(), at.get(), at.length) != 0)
    return sys_error(errno, "bind to port " + std::to_string(ends.server_port));
  if (type == SOCK_STREAM && ::listen(fd->get(), 128) != 0) return sys_error(errno, "listen");
  return fd;
}

Result<UniqueFd> client_socket(const PathEnds& ends, int type) {
  auto fd = socket_in(ends.client_netns, ends.to.family(), type);
  if (!fd) return fd;
  set_option(fd->get(), SOL_SOCKET, SO_SNDTIMEO, kPatience);
  const auto to = socket_address(ends.to, ends.to_port);
  if (::connect(fd->get(), to.get(), to.length) != 0)
    return sys_error(errno, "connect to " + ends.to.str() + ":" + std::to_string(ends.to_port));
  return fd;
}

unsigned connections_of(Work work) {
  switch (work) {
    case Work::kStream1:
    case Work::kRequests:
      return 1;
    case Work::kStream8:
      return 8;
    default:
      return 0;
  }
}

std::uint64_t ns_since(Clock::time_point began) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began).count());
}

bool exchange_a_byte(int fd) {
  char byte = 'q';
  return ::send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && ::recv(fd, &byte, 1, 0) == 1;
}

bool answer_a_byte(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, 0) == 1 && ::send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

std::vector<pollfd> polled(const std::vector<UniqueFd>& fds, short events) {
  std::vector<pollfd> list;
  list.reserve(fds.size());
  for (const auto& fd : fds) list.push_back({.fd = fd.get(), .events = events, .revents = 0});
  return list;
}

}  // namespace

Result<std::unique_ptr<TrafficLoops>> TrafficLoops::connect(Work work, const PathEnds& ends) {
  std::unique_ptr<TrafficLoops> loops(new TrafficLoops(work, ends));
  const bool is_udp = work == Work::kUdp64 || work == Work::kUdp1400;
  if (auto opened = is_udp ? loops->open_udp() : loops->open_tcp(); !opened) return fail(opened);
  if (work == Work::kRequests || work == Work::kConnects)
    loops->latencies_.resize(kMaxTransactions);
  return loops;
}

Result<> TrafficLoops::open_tcp() {
  auto listener = server_socket(ends_, SOCK_STREAM);
  if (!listener) return fail(listener);
  listener_ = std::move(*listener);
  set_option(listener_.get(), SOL_SOCKET, SO_RCVTIMEO, kLook);
  for (unsigned i = 0; i < connections_of(work_); ++i) {
    auto client = client_socket(ends_, SOCK_STREAM);
    if (!client) return fail(client);
    UniqueFd server(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!server) return sys_error(errno, "accept a connection");
    for (const int fd : {client->get(), server.get()}) {
      set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
      set_option(fd, SOL_SOCKET, SO_RCVTIMEO, kPatience);
    }
    client_.push_back(std::move(*client));
    server_.push_back(std::move(server));
  }
  return {};
}

Result<> TrafficLoops::open_udp() {
  auto server = server_socket(ends_, SOCK_DGRAM);
  if (!server) return fail(server);
  set_option(server->get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketBuffer);
  set_option(server->get(), SOL_SOCKET, SO_RCVTIMEO, kLook);
  auto client = client_socket(ends_, SOCK_DGRAM);
  if (!client) return fail(client);
  listener_ = std::move(*server);
  client_.push_back(std::move(*client));
  return {};
}

void TrafficLoops::run_client() {
  switch (work_) {
    case Work::kStream1:
    case Work::kStream8:
      return send_streams();
    case Work::kRequests:
      return send_requests();
    case Work::kConnects:
      return make_connections();
    case Work::kUdp64:
      return send_datagrams(64);
    case Work::kUdp1400:
      return send_datagrams(1400);
  }
}

void TrafficLoops::run_server() {
  switch (work_) {
    case Work::kStream1:
    case Work::kStream8:
      return receive_streams();
    case Work::kRequests:
      return answer_requests();
    case Work::kConnects:
      return accept_connections();
    case Work::kUdp64:
    case Work::kUdp1400:
      return receive_datagrams();
  }
}

void TrafficLoops::stop() {
  over_ = true;
  for (const auto& fd : client_) ::shutdown(fd.get(), SHUT_RDWR);
  for (const auto& fd : server_) ::shutdown(fd.get(), SHUT_RDWR);
  // Wakes whoever accepts or receives, also without a connection.
  ::shutdown(listener_.get(), SHUT_RDWR);
}

std::vector<std::uint32_t> TrafficLoops::latencies(std::uint64_t from, std::uint64_t to) const {
  if (to > latencies_.size()) return {};
  return {latencies_.begin() + static_cast<std::ptrdiff_t>(from),
          latencies_.begin() + static_cast<std::ptrdiff_t>(to)};
}

void TrafficLoops::took(std::uint64_t ns) {
  if (const auto number = units(); number < latencies_.size())
    latencies_[number] = static_cast<std::uint32_t>(ns);
  add(1);
}

/// Writes to each connection that takes more, like iperf3 with -P.
void TrafficLoops::send_streams() {
  const std::vector<char> chunk(kStreamChunk);
  auto ready = polled(client_, POLLOUT);
  while (!is_over()) {
    bool any = false;
    for (const auto& each : ready)
      any |= ::send(each.fd, chunk.data(), chunk.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    if (!any) ::poll(ready.data(), ready.size(), 50);
  }
}

void TrafficLoops::receive_streams() {
  std::vector<char> chunk(kStreamChunk);
  auto ready = polled(server_, POLLIN);
  while (!is_over()) {
    bool any = false;
    for (const auto& each : ready) {
      const ssize_t count = ::recv(each.fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count <= 0) continue;
      any = true;
      add(static_cast<std::uint64_t>(count));
    }
    if (!any) ::poll(ready.data(), ready.size(), 50);
  }
}

void TrafficLoops::send_requests() {
  const int fd = client_[0].get();
  while (!is_over()) {
    const auto began = Clock::now();
    if (!exchange_a_byte(fd)) return;
    took(ns_since(began));
  }
}

void TrafficLoops::answer_requests() {
  while (!is_over() && answer_a_byte(server_[0].get())) continue;
}

void TrafficLoops::make_connections() {
  const auto inside = NetnsGuard::enter(ends_.client_netns);
  const auto to = socket_address(ends_.to, ends_.to_port);
  while (inside && !is_over()) {
    const auto began = Clock::now();
    const UniqueFd fd(::socket(ends_.to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_option(fd.get(), SOL_SOCKET, SO_SNDTIMEO, kPatience);
    set_option(fd.get(), SOL_SOCKET, SO_RCVTIMEO, kPatience);
    if (::connect(fd.get(), to.get(), to.length) != 0 || !exchange_a_byte(fd.get())) continue;
    took(ns_since(began));
  }
}

void TrafficLoops::accept_connections() {
  while (!is_over()) {
    const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    set_option(fd.get(), SOL_SOCKET, SO_RCVTIMEO, kPatience);
    // The client closes first.
    while (answer_a_byte(fd.get())) continue;
  }
}

void TrafficLoops::send_datagrams(std::size_t bytes) {
  const std::array<char, 1400> payload{};
  while (!is_over()) {
    if (::send(client_[0].get(), payload.data(), bytes, MSG_NOSIGNAL) < 0) continue;
    ++sent_;
    if (sent_ - lost_ - units() >= kOnTheirWay) await_room();
  }
}

/// Sleeps until half of the datagrams have arrived. Those that do not for a while are lost.
void TrafficLoops::await_room() {
  constexpr timespec kLost{.tv_sec = 0, .tv_nsec = 20'000'000};
  is_waiting_ = true;
  const std::uint32_t seen = progress_;
  if (sent_ - lost_ - units() > kOnTheirWay / 2) {
    const auto before = units();
    ::syscall(SYS_futex, &progress_, FUTEX_WAIT_PRIVATE, seen, &kLost, nullptr, 0);
    if (units() == before) lost_ = sent_ - before;
  }
  is_waiting_ = false;
}

void TrafficLoops::receive_datagrams() {
  std::array<char, 2048> payload{};
  while (!is_over()) {
    if (::recv(listener_.get(), payload.data(), payload.size(), 0) <= 0) continue;
    add(1);
    if (units() % (kOnTheirWay / 2) != 0 || !is_waiting_) continue;
    ++progress_;
    ::syscall(SYS_futex, &progress_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

}  // namespace kubecni::bench
