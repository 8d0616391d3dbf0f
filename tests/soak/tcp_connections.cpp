#include "tcp_connections.hpp"

#include "support/eventually.hpp"
#include "support/pattern.hpp"
#include "support/process.hpp"
#include "support/socket.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

namespace kubecni::test {

namespace {

constexpr std::uint16_t kPort = 6001;
constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::seconds kConnected{10};
// A lost segment is sent again after up to a minute, when several were lost in a row.
constexpr std::chrono::seconds kDrain{60};
constexpr std::size_t kChunk = 64 * 1024;

}  // namespace

TcpConnections::TcpConnections(const NetNs& client, const NetNs& server, const IpAddr& to,
                               unsigned count, unsigned bytes_per_second)
    : bytes_per_second_(bytes_per_second), connections_(count) {
  const UniqueFd listener = open_socket(server, to.family(), SOCK_STREAM);
  bind_port(listener.get(), to.family(), kPort);
  if (::listen(listener.get(), 16) != 0) throw std::runtime_error("cannot listen");
  const SocketAddress remote(to, kPort);
  for (Connection& connection : connections_) {
    connection.client = open_socket(client, to.family(), SOCK_STREAM);
    const std::string what = "connect to " + to.str();
    if (::connect(connection.client.get(), remote.raw(), remote.size()) != 0)
      throw std::runtime_error(what);
    must(wait_ready(listener.get(), POLLIN, Clock::now() + kConnected, what));
    connection.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.server) throw std::runtime_error(what);
  }
  receiver_ = std::thread([this] { receive_all(); });
  sender_ = std::thread([this] { send_all(); });
}

TcpConnections::~TcpConnections() {
  stop_sending_ = stop_ = true;
  if (sender_.joinable()) sender_.join();
  receiver_.join();
}

void TcpConnections::break_off(Connection& connection) {
  if (!connection.is_broken.exchange(true)) ++reset_;
}

void TcpConnections::send_some(Connection& connection, std::uint64_t seed,
                               std::vector<std::uint8_t>& buffer) {
  const std::uint64_t at = connection.sent;
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = pattern_byte(seed, at + i);
  const ssize_t size =
      ::send(connection.client.get(), buffer.data(), buffer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size >= 0)
    connection.sent += static_cast<std::uint64_t>(size);
  else if (!is_again(errno))
    break_off(connection);
}

void TcpConnections::send_all() {
  std::vector<std::uint8_t> buffer(
      std::max<std::size_t>(std::size_t{bytes_per_second_} * kTick.count() / 1000, 1));
  while (!stop_sending_) {
    for (std::size_t i = 0; i < connections_.size(); ++i)
      if (!connections_[i].is_broken) send_some(connections_[i], i + 1, buffer);
    std::this_thread::sleep_for(kTick);
  }
}

void TcpConnections::receive_some(Connection& connection, std::uint64_t seed,
                                  std::vector<std::uint8_t>& buffer) {
  const ssize_t size = ::recv(connection.server.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && is_again(errno)) return;
  if (size <= 0) return break_off(connection);
  const std::uint64_t at = connection.received;
  for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i)
    if (buffer[i] != pattern_byte(seed, at + i)) ++wrong_;
  connection.received += static_cast<std::uint64_t>(size);
  bytes_ += static_cast<std::uint64_t>(size);
}

void TcpConnections::receive_all() {
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, connections_[i].server.get(), &event);
  }
  std::vector<std::uint8_t> buffer(kChunk);
  std::array<epoll_event, 64> events{};
  while (!stop_) {
    const int ready = ::epoll_wait(epoll.get(), events.data(), events.size(), 20);
    for (int i = 0; i < ready; ++i) {
      const std::size_t number = events.at(static_cast<std::size_t>(i)).data.u64;
      Connection& connection = connections_[number];
      receive_some(connection, number + 1, buffer);
      if (connection.is_broken)
        ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, connection.server.get(), nullptr);
    }
  }
}

TcpConnections::Figures TcpConnections::finish() {
  stop_sending_ = true;
  sender_.join();
  (void)eventually(
      [&] {
        return std::ranges::all_of(connections_, [](const Connection& connection) {
          return connection.is_broken || connection.received == connection.sent;
        });
      },
      kDrain);
  for (Connection& connection : connections_)
    if (connection.received != connection.sent) break_off(connection);
  return figures();
}

}  // namespace kubecni::test
