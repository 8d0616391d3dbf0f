#include "support/traffic.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace kubecni::test {

namespace {

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

/// An ICMP echo request of either family: their layout is the same.
struct EchoRequest {
  explicit EchoRequest(const IpAddr& to) {
    header.type = to.is_v4() ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    header.un.echo.id = htons(next_echo_id());
    // The kernel computes that of ICMPv6, which covers the addresses.
    if (to.is_v4()) header.checksum = icmp_checksum(this, sizeof(*this));
  }

  /// Whether `packet`, as a raw socket of the family reads it, is the answer.
  [[nodiscard]] bool is_answered_by(const char* packet, std::size_t size) const {
    const bool v4 = header.type == ICMP_ECHO;
    const std::size_t at = v4 ? sizeof(iphdr) : 0;
    icmphdr answer{};
    if (size < at + sizeof(answer)) return false;
    std::memcpy(&answer, packet + at, sizeof(answer));
    return answer.type == (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
           answer.un.echo.id == header.un.echo.id;
  }

  icmphdr header{};
  std::array<char, 48> payload{};
};

}  // namespace

Result<> ping(const NetNs& from, const IpAddr& to, std::optional<IpAddr> source,
              std::chrono::milliseconds deadline) {
  const std::string what = "ping " + to.str() + " from " + from.name();
  const UniqueFd fd = open_socket(from, to.family(), SOCK_RAW,
                                  to.is_v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  if (source) {
    const SocketAddress address(*source, 0);
    if (::bind(fd.get(), address.raw(), address.size()) != 0)
      return sys_error(errno, what + ": bind");
  }
  const EchoRequest request(to);
  const SocketAddress address(to, 0);
  const auto end = Clock::now() + deadline;
  if (::sendto(fd.get(), &request, sizeof(request), 0, address.raw(), address.size()) < 0)
    return sys_error(errno, what + ": send");
  while (true) {
    if (auto ready = wait_ready(fd.get(), POLLIN, end, what); !ready) return ready;
    std::array<char, 256> packet;
    const ssize_t size = ::recv(fd.get(), packet.data(), packet.size(), 0);
    if (size > 0 && request.is_answered_by(packet.data(), static_cast<std::size_t>(size)))
      return {};
  }
}

Result<IpAddr> udp_echo(const UdpEcho& echo) {
  const std::string what = "UDP from " + echo.client.name() + " to " + echo.to.str();
  const int family = echo.to.family();
  const UniqueFd sender = open_socket(echo.client, family, SOCK_DGRAM);
  const UniqueFd receiver = open_socket(echo.server, family, SOCK_DGRAM);
  bind_port(receiver.get(), family, echo.server_port);
  if (echo.source_port != 0) bind_port(sender.get(), family, echo.source_port);
  const SocketAddress remote(echo.to, echo.port);
  if (::connect(sender.get(), remote.raw(), remote.size()) != 0)
    return sys_error(errno, what + ": connect");
  const auto end = Clock::now() + echo.deadline;
  IpAddr seen;
  for (unsigned i = 0; i < echo.count; ++i) {
    const std::string sent = "datagram " + std::to_string(i);
    if (::send(sender.get(), sent.data(), sent.size(), 0) < 0)
      return sys_error(errno, what + ": send");
    if (auto ready = wait_ready(receiver.get(), POLLIN, end, what); !ready) return fail(ready);
    std::array<char, 64> buffer;
    SocketAddress from;
    ssize_t size =
        ::recvfrom(receiver.get(), buffer.data(), buffer.size(), 0, from.raw(), from.size_ptr());
    ::sendto(receiver.get(), buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)), 0,
             from.raw(), from.size());
    seen = from.addr();
    if (auto ready = wait_ready(sender.get(), POLLIN, end, what + ": answer"); !ready)
      return fail(ready);
    size = ::recv(sender.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return sys_error(errno, what + ": receive");
    if (sent != std::string(buffer.data(), static_cast<std::size_t>(size)))
      return failure(EBADMSG, what + ": other bytes came back");
  }
  return seen;
}

Result<> udp_echo(const NetNs& client, const NetNs& server, const IpAddr& to, unsigned count) {
  auto done = udp_echo({.client = client, .server = server, .to = to, .count = count});
  if (!done) return fail(done);
  return {};
}

Result<> udp_refused(const NetNs& client, const IpAddr& to, std::uint16_t port) {
  const std::string what = "refusal of UDP from " + client.name() + " to " + to.str();
  const UniqueFd socket = open_socket(client, to.family(), SOCK_DGRAM);
  const SocketAddress remote(to, port);
  if (::connect(socket.get(), remote.raw(), remote.size()) != 0)
    return sys_error(errno, what + ": connect");
  char byte = 'x';
  if (::send(socket.get(), &byte, 1, 0) != 1) return sys_error(errno, what + ": send");
  if (auto ready = wait_ready(socket.get(), POLLIN, Clock::now() + kTrafficDeadline, what); !ready)
    return ready;
  if (::recv(socket.get(), &byte, 1, 0) >= 0)
    return failure(EBADMSG, what + ": a datagram came back");
  if (errno != ECONNREFUSED) return sys_error(errno, what);
  return {};
}

}  // namespace kubecni::test
