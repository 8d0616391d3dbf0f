#include "odd_socket.hpp"

#include <linux/errqueue.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace kubecni::test {

OddSocket::OddSocket(const NetNs& netns, int family, int type, int protocol, std::uint16_t port)
    : family_(family),
      is_raw_(type == SOCK_RAW),
      fd_(open_socket(netns, family, type | SOCK_CLOEXEC, protocol)) {
  if (port != 0) bind_port(fd_.get(), family, port);
}

void OddSocket::set_bytes(int level, int name, const void* value, socklen_t size) const {
  if (::setsockopt(fd_.get(), level, name, value, size) != 0)
    throw std::runtime_error("setsockopt " + std::to_string(name) + ": " + std::strerror(errno));
}

void OddSocket::want_errors() const {
  if (family_ == AF_INET) {
    set(IPPROTO_IP, IP_RECVERR, 1);
    set(IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_DO});
  } else {
    set(IPPROTO_IPV6, IPV6_RECVERR, 1);
    set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_DO});
  }
}

void OddSocket::set_hops(int hops) const {
  if (family_ == AF_INET)
    set(IPPROTO_IP, IP_TTL, hops);
  else
    set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
}

Result<> OddSocket::send(const IpAddr& to, std::uint16_t port, const Frame& bytes) const {
  SocketAddress address(to, port);
  if (::sendto(fd_.get(), bytes.data(), bytes.size(), 0, address.raw(), address.size()) < 0)
    return sys_error(errno, "send to " + to.str());
  return {};
}

Frame OddSocket::receive(std::chrono::milliseconds deadline) const {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(deadline.count())) <= 0) return {};
  Frame bytes(1 << 16);
  const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  // Raw sockets of IPv4 get the IP header, too.
  if (is_raw_ && family_ == AF_INET && !bytes.empty())
    bytes.erase(bytes.begin(), bytes.begin() + (bytes[0] & 0xf) * 4);
  return bytes;
}

std::optional<HeardError> OddSocket::next_error(std::chrono::milliseconds deadline) const {
  pollfd ready{.fd = fd_.get(), .events = 0, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(deadline.count())) <= 0) return std::nullopt;
  std::array<char, 512> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(fd_.get(), &message, MSG_ERRQUEUE) < 0) return std::nullopt;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_type != IP_RECVERR && part->cmsg_type != IPV6_RECVERR) continue;
    struct {
      sock_extended_err error;
      sockaddr_storage offender;
    } heard{};
    std::memcpy(&heard, CMSG_DATA(part), std::min(sizeof(heard), part->cmsg_len - CMSG_LEN(0)));
    SocketAddress from;
    std::memcpy(from.raw(), &heard.offender, sizeof(sockaddr_in6));
    return HeardError{.code = static_cast<int>(heard.error.ee_errno),
                      .from = heard.offender.ss_family == AF_UNSPEC ? IpAddr{} : from.addr(),
                      .mtu = heard.error.ee_info};
  }
  return std::nullopt;
}

Frame pattern(std::size_t bytes) {
  Frame made(bytes);
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8));
  return made;
}

}  // namespace kubecni::test
