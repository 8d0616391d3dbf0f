#include "support/pattern.hpp"
#include "support/process.hpp"
#include "support/traffic.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace kubecni::test {

namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
/// That show that the connection goes on.
constexpr std::uint64_t kBytesAfterFinish = 4 << 20;
constexpr char kAllRight = 'Y';
constexpr std::chrono::milliseconds kStopCheck{50};

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

UniqueFd listening_socket(const NetNs& netns, int family, std::uint16_t port) {
  UniqueFd fd = open_socket(netns, family, SOCK_STREAM | SOCK_NONBLOCK);
  bind_port(fd.get(), family, port);
  if (::listen(fd.get(), 1) != 0) throw std::runtime_error("cannot listen in " + netns.name());
  return fd;
}

UniqueFd client_socket(const NetNs& netns, int family, std::uint16_t source_port) {
  UniqueFd fd = open_socket(netns, family, SOCK_STREAM | SOCK_NONBLOCK);
  if (source_port != 0) bind_port(fd.get(), family, source_port);
  return fd;
}

}  // namespace

TcpTransfer::TcpTransfer(const Options& options)
    : options_(options),
      end_(Clock::now() + options.deadline),
      listener_(listening_socket(options.server, options.to.family(), options.server_port)),
      client_(client_socket(options.client, options.to.family(), options.source_port)),
      bytes_(options.bytes) {
  if (options_.bytes_per_second != 0)
    ::setsockopt(client_.get(), SOL_SOCKET, SO_MAX_PACING_RATE, &options_.bytes_per_second,
                 sizeof(options_.bytes_per_second));
  server_thread_ = std::thread([this] { served_ = serve(); });
  client_thread_ = std::thread([this] { sent_ = send_all(); });
}

TcpTransfer::~TcpTransfer() {
  stop_ = true;
  if (server_thread_.joinable()) server_thread_.join();
  if (client_thread_.joinable()) client_thread_.join();
}

/// Errors: ETIMEDOUT; ECANCELED the object is being destroyed.
Result<> TcpTransfer::wait_for(int fd, short events, const char* what) const {
  while (Clock::now() < end_) {
    if (stop_) return sys_error(ECANCELED, what);
    pollfd ready{fd, events, 0};
    if (::poll(&ready, 1, static_cast<int>(kStopCheck.count())) > 0) return {};
  }
  return sys_error(ETIMEDOUT,
                   std::string("TCP ") + what + " after " + std::to_string(received_) + " bytes");
}

Result<> TcpTransfer::serve() {
  if (auto ready = wait_for(listener_.get(), POLLIN, "accept"); !ready) return ready;
  SocketAddress peer;
  const UniqueFd connection(
      ::accept4(listener_.get(), peer.raw(), peer.size_ptr(), SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection) return sys_error(errno, "accept");
  client_address_ = peer.addr().str();

  std::vector<std::uint8_t> buffer(kChunkBytes);
  std::uint64_t at = 0;
  while (at < bytes_) {
    if (auto ready = wait_for(connection.get(), POLLIN, "receive"); !ready) return ready;
    const ssize_t size = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && is_again(errno)) continue;
    if (size < 0) return sys_error(errno, "receive");
    if (size == 0) return failure(EBADMSG, "ended after " + std::to_string(at) + " bytes");
    for (ssize_t i = 0; i < size; ++i, ++at)
      if (buffer[static_cast<std::size_t>(i)] != pattern_byte(options_.seed, at))
        return failure(EBADMSG, "byte " + std::to_string(at) + " is wrong");
    received_ = at;
  }
  if (::send(connection.get(), &kAllRight, 1, MSG_NOSIGNAL) != 1) return sys_error(errno, "answer");
  return {};
}

Result<> TcpTransfer::send_all() {
  const SocketAddress remote(options_.to, options_.port);
  if (::connect(client_.get(), remote.raw(), remote.size()) != 0 && !is_again(errno))
    return sys_error(errno, "connect");
  if (auto ready = wait_for(client_.get(), POLLOUT, "connect"); !ready) return ready;
  if (const int error = pending_error(client_.get()); error != 0)
    return sys_error(error, "connect");

  std::vector<std::uint8_t> buffer;
  std::size_t buffered = 0;
  for (std::uint64_t at = 0; at < bytes_ || buffered < buffer.size();) {
    if (bytes_ == kUntilFinish && is_finishing_) bytes_ = at + kBytesAfterFinish;
    if (buffered == buffer.size()) {
      buffer.resize(std::min<std::uint64_t>(kChunkBytes, bytes_ - at));
      for (auto& byte : buffer) byte = pattern_byte(options_.seed, at++);
      buffered = 0;
    }
    if (auto ready = wait_for(client_.get(), POLLOUT, "send"); !ready) return ready;
    const ssize_t size =
        ::send(client_.get(), buffer.data() + buffered, buffer.size() - buffered, MSG_NOSIGNAL);
    if (size < 0 && !is_again(errno)) return sys_error(errno, "send");
    buffered += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
  }
  if (auto ready = wait_for(client_.get(), POLLIN, "answer"); !ready) return ready;
  char answer = 0;
  if (::recv(client_.get(), &answer, 1, 0) != 1 || answer != kAllRight)
    return failure(EBADMSG, "the server did not say that all is right");
  return {};
}

Result<> TcpTransfer::finish() {
  is_finishing_ = true;
  client_thread_.join();
  if (!sent_) stop_ = true;
  server_thread_.join();
  if (!served_ && served_.error().code != ECANCELED) return served_;
  return sent_;
}

Result<> tcp_transfer(const NetNs& client, const NetNs& server, const IpAddr& to,
                      std::uint64_t bytes) {
  return TcpTransfer({.client = client, .server = server, .to = to, .bytes = bytes}).finish();
}

TcpConnection::TcpConnection(const Options& options) {
  const std::string what = "connect " + options.client.name() + " to " + options.to.str();
  const int family = options.to.family();
  const UniqueFd listener = listening_socket(options.server, family, options.server_port);
  client_ = client_socket(options.client, family, options.source_port);
  const SocketAddress remote(options.to, options.port);
  const auto end = Clock::now() + kTrafficDeadline;
  if (::connect(client_.get(), remote.raw(), remote.size()) != 0 && !is_again(errno))
    throw std::runtime_error(what + ": " + std::strerror(errno));
  must(wait_ready(client_.get(), POLLOUT, end, what));
  if (const int error = pending_error(client_.get()); error != 0)
    throw std::runtime_error(what + ": " + std::strerror(error));
  must(wait_ready(listener.get(), POLLIN, end, what));
  SocketAddress peer;
  server_.reset(
      ::accept4(listener.get(), peer.raw(), peer.size_ptr(), SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!server_) throw std::runtime_error(what + ": " + std::strerror(errno));
  client_address_ = peer.addr();
}

Result<> TcpConnection::send(const UniqueFd& from, const UniqueFd& to, std::size_t bytes) {
  std::vector<std::uint8_t> message(bytes);
  for (std::size_t i = 0; i < bytes; ++i) message[i] = pattern_byte(1, sent_ + i);
  sent_ += bytes;
  std::vector<std::uint8_t> buffer(kChunkBytes);
  const auto end = Clock::now() + kTrafficDeadline;
  std::size_t sent = 0;
  for (std::size_t received = 0; received < bytes;) {
    const ssize_t out = ::send(from.get(), message.data() + sent, bytes - sent, MSG_NOSIGNAL);
    if (out < 0 && !is_again(errno)) return sys_error(errno, "send");
    sent += static_cast<std::size_t>(std::max<ssize_t>(out, 0));
    const std::string what = "TCP after " + std::to_string(received) + " bytes";
    if (auto ready = wait_ready(to.get(), POLLIN, end, what); !ready) return ready;
    const ssize_t in = ::recv(to.get(), buffer.data(), buffer.size(), 0);
    if (in < 0 && is_again(errno)) continue;
    if (in < 0) return sys_error(errno, what + ": receive");
    if (in == 0) return failure(EBADMSG, what + ": the other side closed");
    if (!std::equal(buffer.begin(), buffer.begin() + in,
                    message.begin() + static_cast<std::ptrdiff_t>(received)))
      return failure(EBADMSG, what + ": other bytes arrived");
    received += static_cast<std::size_t>(in);
  }
  return {};
}

}  // namespace kubecni::test
