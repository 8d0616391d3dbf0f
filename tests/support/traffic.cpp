#include "support/traffic.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace kubecni::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::uint16_t kUdpPort = 5002;
constexpr char kAllRight = 'Y';
constexpr std::chrono::milliseconds kStopCheck{50};

sockaddr_in socket_address(const IpAddr& addr, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  std::memcpy(&result.sin_addr, addr.data(), 4);
  return result;
}

const sockaddr* as_sockaddr(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd open_socket(const NetNs& netns, int type, int protocol = 0) {
  UniqueFd fd;
  netns.enter([&] { fd.reset(::socket(AF_INET, type | SOCK_CLOEXEC, protocol)); });
  if (!fd) throw std::runtime_error("socket in " + netns.name());
  return fd;
}

/// Errors: ETIMEDOUT nothing to read before `end`.
Result<> wait_readable(int fd, Clock::time_point end, const std::string& what) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  pollfd ready{fd, POLLIN, 0};
  const int wait_ms = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  if (::poll(&ready, 1, wait_ms) <= 0) return sys_error(ETIMEDOUT, what);
  return {};
}

std::uint16_t icmp_checksum(const void* data, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < size; at += 2) {
    std::uint16_t word;
    std::memcpy(&word, static_cast<const char*>(data) + at, 2);
    sum += word;
  }
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~(sum + (sum >> 16)));
}

std::uint16_t next_echo_id() {
  static std::atomic<std::uint16_t> id = 1;
  return id++;
}

/// Byte `position` of the endless pattern `seed`: no two places look the same.
std::uint8_t pattern_byte(std::uint64_t seed, std::uint64_t position) {
  std::uint64_t word = seed * 0x9e3779b97f4a7c15 + position / 8;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::uint8_t>((word ^ (word >> 31)) >> (position % 8 * 8));
}

bool is_again(int code) { return code == EAGAIN || code == EINTR || code == EINPROGRESS; }

}  // namespace

Result<> ping(const NetNs& from, const IpAddr& to, std::optional<IpAddr> source,
              std::chrono::milliseconds deadline) {
  const std::string what = "ping " + to.str() + " from " + from.name();
  const UniqueFd fd = open_socket(from, SOCK_RAW, IPPROTO_ICMP);
  if (source) {
    const auto address = socket_address(*source, 0);
    if (::bind(fd.get(), as_sockaddr(address), sizeof(address)) != 0)
      return sys_error(errno, what + ": bind");
  }
  struct {
    icmphdr header{};
    std::array<char, 48> payload{};
  } request;
  request.header.type = ICMP_ECHO;
  request.header.un.echo.id = htons(next_echo_id());
  request.header.checksum = icmp_checksum(&request, sizeof(request));
  const auto address = socket_address(to, 0);
  const auto end = Clock::now() + deadline;
  if (::sendto(fd.get(), &request, sizeof(request), 0, as_sockaddr(address), sizeof(address)) < 0)
    return sys_error(errno, what + ": send");
  while (true) {
    if (auto ready = wait_readable(fd.get(), end, what); !ready) return ready;
    std::array<char, 256> packet;
    const ssize_t size = ::recv(fd.get(), packet.data(), packet.size(), 0);
    icmphdr answer{};
    if (size < static_cast<ssize_t>(sizeof(iphdr) + sizeof(answer))) continue;
    std::memcpy(&answer, packet.data() + sizeof(iphdr), sizeof(answer));
    if (answer.type == ICMP_ECHOREPLY && answer.un.echo.id == request.header.un.echo.id) return {};
  }
}

Result<> udp_echo(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned count) {
  const std::string what = "UDP from " + client.name() + " to " + to.str();
  const UniqueFd sender = open_socket(client, SOCK_DGRAM);
  const UniqueFd receiver = open_socket(server, SOCK_DGRAM);
  const auto local = socket_address(IpAddr::v4({0, 0, 0, 0}), kUdpPort);
  if (::bind(receiver.get(), as_sockaddr(local), sizeof(local)) != 0)
    return sys_error(errno, what + ": bind");
  const auto remote = socket_address(to, kUdpPort);
  if (::connect(sender.get(), as_sockaddr(remote), sizeof(remote)) != 0)
    return sys_error(errno, what + ": connect");
  const auto end = Clock::now() + kTrafficDeadline;
  for (unsigned i = 0; i < count; ++i) {
    const std::string sent = "datagram " + std::to_string(i);
    if (::send(sender.get(), sent.data(), sent.size(), 0) < 0)
      return sys_error(errno, what + ": send");
    if (auto ready = wait_readable(receiver.get(), end, what); !ready) return ready;
    std::array<char, 64> buffer;
    sockaddr_in from{};
    socklen_t from_size = sizeof(from);
    ssize_t size = ::recvfrom(receiver.get(), buffer.data(), buffer.size(), 0,
                              reinterpret_cast<sockaddr*>(&from), &from_size);
    ::sendto(receiver.get(), buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)), 0,
             as_sockaddr(from), from_size);
    if (auto ready = wait_readable(sender.get(), end, what + ": answer"); !ready) return ready;
    size = ::recv(sender.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return sys_error(errno, what + ": receive");
    if (sent != std::string(buffer.data(), static_cast<std::size_t>(size)))
      return failure(EBADMSG, what + ": other bytes came back");
  }
  return {};
}

TcpTransfer::TcpTransfer(const Options& options)
    : options_(options),
      end_(Clock::now() + options.deadline),
      listener_(open_socket(options.server, SOCK_STREAM | SOCK_NONBLOCK)),
      client_(open_socket(options.client, SOCK_STREAM | SOCK_NONBLOCK)) {
  const int yes = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const auto local = socket_address(IpAddr::v4({0, 0, 0, 0}), options_.server_port);
  if (::bind(listener_.get(), as_sockaddr(local), sizeof(local)) != 0 ||
      ::listen(listener_.get(), 1) != 0)
    throw std::runtime_error("cannot listen in " + options_.server.name());
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

/// Errors: ETIMEDOUT; ECANCELED the object goes.
Result<> TcpTransfer::wait_for(int fd, short events, const char* what) const {
  while (Clock::now() < end_) {
    if (stop_) return sys_error(ECANCELED, what);
    pollfd ready{fd, events, 0};
    if (::poll(&ready, 1, static_cast<int>(kStopCheck.count())) > 0) return {};
  }
  return sys_error(ETIMEDOUT, std::string("TCP ") + what + " after " + std::to_string(received_) +
                                  " of " + std::to_string(options_.bytes) + " bytes");
}

Result<> TcpTransfer::serve() {
  if (auto ready = wait_for(listener_.get(), POLLIN, "accept"); !ready) return ready;
  sockaddr_in peer{};
  socklen_t peer_size = sizeof(peer);
  const UniqueFd connection(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer),
                                      &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection) return sys_error(errno, "accept");
  std::array<char, INET_ADDRSTRLEN> text{};
  client_address_ = ::inet_ntop(AF_INET, &peer.sin_addr, text.data(), text.size());

  std::vector<std::uint8_t> buffer(kChunkBytes);
  std::uint64_t at = 0;
  while (at < options_.bytes) {
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
  const auto remote = socket_address(options_.to, options_.port);
  if (::connect(client_.get(), as_sockaddr(remote), sizeof(remote)) != 0 && !is_again(errno))
    return sys_error(errno, "connect");
  if (auto ready = wait_for(client_.get(), POLLOUT, "connect"); !ready) return ready;
  int error = 0;
  socklen_t error_size = sizeof(error);
  ::getsockopt(client_.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return sys_error(error, "connect");

  std::vector<std::uint8_t> buffer;
  std::size_t buffered = 0;
  for (std::uint64_t at = 0; at < options_.bytes || buffered < buffer.size();) {
    if (buffered == buffer.size()) {
      buffer.resize(std::min<std::uint64_t>(kChunkBytes, options_.bytes - at));
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

}  // namespace kubecni::test
