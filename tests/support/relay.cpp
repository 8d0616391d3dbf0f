#include "support/relay.hpp"

#include <climits>

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <stdexcept>
#include <vector>

namespace kubecni::test {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

UniqueFd tcp_socket() { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

UniqueFd listen_somewhere(int& port) {
  UniqueFd listener = tcp_socket();
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener || ::bind(listener.get(), generic, length) != 0 ||
      ::listen(listener.get(), 16) != 0 || ::getsockname(listener.get(), generic, &length) != 0)
    throw std::runtime_error("cannot listen on 127.0.0.1");
  port = ntohs(address.sin_port);
  return listener;
}

/// Reads from `from`, and passes the data on unless the network loses it. False: the connection is
/// over.
bool pass(int from, int to, bool is_lost) {
  char bytes[16384];
  const ssize_t got = ::recv(from, bytes, sizeof(bytes), 0);
  for (ssize_t at = 0; at < got && !is_lost;) {
    const ssize_t sent = ::send(to, bytes + at, static_cast<std::size_t>(got - at), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
  }
  return got > 0;
}

}  // namespace

int free_port() {
  int port = 0;
  listen_somewhere(port);
  return port;
}

struct Relay::Connection {
  int number;
  UniqueFd client;
  UniqueFd server;
  bool is_over = false;
};

Relay::Relay(int server_port)
    : server_port_(server_port),
      listener_(listen_somewhere(port_)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_(&Relay::run, this) {}

Relay::~Relay() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::string Relay::url(const std::string& scheme) const {
  return scheme + "://127.0.0.1:" + std::to_string(port_);
}

void Relay::freeze_all() { frozen_below_ = INT_MAX; }

void Relay::run() {
  std::vector<Connection> open;
  for (;;) {
    std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Connection& connection : open) {
      fds.push_back({connection.client.get(), POLLIN, 0});
      fds.push_back({connection.server.get(), POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const auto& [number, client, server, is_over] = open[i];
      const bool is_lost = number < frozen_below_ || number == frozen_;
      const bool client_ready = fds[2 + 2 * i].revents != 0;
      const bool server_ready = fds[3 + 2 * i].revents != 0;
      open[i].is_over = (client_ready && !pass(client.get(), server.get(), is_lost)) ||
                        (server_ready && !pass(server.get(), client.get(), is_lost));
    }
    std::erase_if(open, [](const Connection& connection) { return connection.is_over; });
    if (fds[1].revents != 0) accept(open);
  }
}

void Relay::accept(std::vector<Connection>& open) {
  Connection made{.number = connections_,
                  .client = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)),
                  .server = tcp_socket()};
  const sockaddr_in address = loopback(server_port_);
  if (::connect(made.server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
    return;
  ++connections_;
  open.push_back(std::move(made));
}

}  // namespace kubecni::test
