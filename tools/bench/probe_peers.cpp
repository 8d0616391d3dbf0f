#include "bench/probe_peers.hpp"

#include "base/socket_address.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <tuple>

namespace kubecni::bench {

namespace {

constexpr std::uint16_t kProbePort = 8484;
constexpr std::chrono::milliseconds kInterval{250};  // of questions

// userspace/control/probe/probe_message.cpp
using Message = std::array<std::uint8_t, 32>;
constexpr Message kQuestion{'k', 'c', 'n', 'i', 'p', 'r', 'b', 1};
constexpr std::size_t kIsAnswerAt = 8, kFlagsAt = 10;
constexpr std::uint8_t kProbesV4 = 1;

/// A datagram with the address of this end, which the socket itself does not have.
struct Datagram {
  Message message{};
  SocketAddress other{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  iovec part{};
  msghdr header{};

  Datagram() {
    part = {.iov_base = message.data(), .iov_len = message.size()};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    header.msg_name = other.get();
    header.msg_namelen = other.size;
  }
  Datagram(const Datagram&) = delete;
  Datagram& operator=(const Datagram&) = delete;

  void send_from(int fd, in_addr own) {
    cmsghdr* info = CMSG_FIRSTHDR(&header);
    info->cmsg_level = IPPROTO_IP;
    info->cmsg_type = IP_PKTINFO;
    info->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    const in_pktinfo from{.ipi_ifindex = 0, .ipi_spec_dst = own, .ipi_addr = {}};
    std::memcpy(CMSG_DATA(info), &from, sizeof(from));
    std::ignore = ::sendmsg(fd, &header, 0);
  }
};

}  // namespace

Result<std::unique_ptr<ProbePeers>> ProbePeers::start(const IpAddr& asked, const IpAddr& asking) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return sys_error(errno, "make a socket");
  const int on = 1;
  if (::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0)
    return sys_error(errno, "be told of addresses");
  const auto any = SocketAddress::of(IpAddr::any(AF_INET), kProbePort);
  if (::bind(fd.get(), any.get(), any.size) != 0)
    return sys_error(errno, "UDP port " + std::to_string(kProbePort));
  return std::unique_ptr<ProbePeers>(new ProbePeers(std::move(fd), asked, asking));
}

ProbePeers::ProbePeers(UniqueFd fd, const IpAddr& asked, const IpAddr& asking)
    : fd_(std::move(fd)), asked_(asked), asking_(asking), thread_([this] { run(); }) {}

ProbePeers::~ProbePeers() {
  stopping_ = true;
  thread_.join();
}

void ProbePeers::run() {
  auto next = std::chrono::steady_clock::now();
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next) {
      ask();
      next = now + kInterval;
    }
    pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now);
    if (::poll(&readable, 1, static_cast<int>(wait.count())) > 0) answer();
  }
}

void ProbePeers::ask() const {
  Datagram question;
  question.message = kQuestion;
  question.other = SocketAddress::of(asked_, kProbePort);
  question.header.msg_namelen = question.other.size;
  in_addr own{};
  std::memcpy(&own, asking_.data(), sizeof(own));
  question.send_from(fd_.get(), own);
}

void ProbePeers::answer() const {
  Datagram datagram;
  if (::recvmsg(fd_.get(), &datagram.header, 0) != static_cast<ssize_t>(datagram.message.size()))
    return;
  const cmsghdr* info = CMSG_FIRSTHDR(&datagram.header);
  if (info == nullptr || datagram.message[kIsAnswerAt] != 0) return;
  in_pktinfo to{};
  std::memcpy(&to, CMSG_DATA(info), sizeof(to));
  datagram.message[kIsAnswerAt] = 1;
  datagram.message[kFlagsAt] = kProbesV4;
  datagram.send_from(fd_.get(), to.ipi_addr);
}

}  // namespace kubecni::bench
