#include "control/nodes/checksum_probe.hpp"

#include "base/socket_address.hpp"
#include "net/udp_packet.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <random>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

constexpr std::uint16_t kDiscardPort = 9;  // RFC 863: where it is served, nothing is answered
constexpr unsigned kRoundsToBeSure = 3;
// Larger than what Ethernet pads, and not a multiple of anything.
constexpr std::size_t kPayloadBytes = 97;

Result<UniqueFd> connect_by(const ChecksumProbe::Way& way, int type, int protocol,
                            std::uint16_t port) {
  UniqueFd fd(::socket(way.to.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  const auto own = SocketAddress::of(way.from, 0);
  const auto other = SocketAddress::of(way.to, port);
  const bool v4 = way.to.is_v4();
  const int on = 1;
  if (!fd ||
      ::setsockopt(fd.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on,
                   sizeof(on)) != 0 ||
      ::bind(fd.get(), own.get(), own.size) != 0 ||
      ::connect(fd.get(), other.get(), other.size) != 0)
    return sys_error(errno, "probe of checksums from " + way.from.str() + " to " + way.to.str());
  return fd;
}

/// Bytes that nobody guesses, which an honest answer quotes.
ChecksumProbe::Bytes random_payload() {
  std::random_device device;
  ChecksumProbe::Bytes bytes(kPayloadBytes);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(device());
  return bytes;
}

/// From whom an ICMP error came, as the socket tells in a control message.
std::optional<IpAddr> sender_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    const bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    const bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(part));
    const sockaddr* sender = SO_EE_OFFENDER(error);
    if ((error->ee_origin == SO_EE_ORIGIN_ICMP && sender->sa_family == AF_INET) ||
        (error->ee_origin == SO_EE_ORIGIN_ICMP6 && sender->sa_family == AF_INET6))
      return ip_of(sender);
  }
  return std::nullopt;
}

/// Whether the other side said that nobody is at that port, or that it lets nobody: it and
/// nobody else, of exactly what was `sent`. Anybody may send an error that fits the addresses.
bool was_answered(const UniqueFd& fd, const ChecksumProbe::Bytes& sent, const IpAddr& by) {
  if (!fd) return false;
  // One more byte than fits shows that a quote is longer.
  ChecksumProbe::Bytes quote(sent.size() + 1);
  alignas(cmsghdr) std::array<char, 512> control{};
  for (;;) {
    iovec part{.iov_base = quote.data(), .iov_len = quote.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    if (sender_of(message) == by && static_cast<std::size_t>(size) == sent.size() &&
        std::equal(sent.begin(), sent.end(), quote.begin()))
      return true;
  }
}

}  // namespace

void ChecksumProbe::read_answers() {
  if (was_answered(offloaded_, offloaded_bytes_, asked_)) {
    verdict_ = Verdict::kRight;
  } else if (was_answered(computed_, computed_bytes_, asked_)) {
    if (++only_computed_ == kRoundsToBeSure) verdict_ = Verdict::kBroken;
  } else {
    only_computed_ = 0;  // the other node does not answer at all
    ++next_way_;
  }
  offloaded_.reset();
  computed_.reset();
}

Result<> ChecksumProbe::ask(const Way& way) {
  auto offloaded = connect_by(way, SOCK_DGRAM, 0, kDiscardPort);
  if (!offloaded) return fail(offloaded);
  auto computed = connect_by(way, SOCK_RAW, IPPROTO_UDP, 0);
  if (!computed) return fail(computed);
  asked_ = way.to;
  offloaded_bytes_ = random_payload();
  computed_bytes_ = udp_datagram(way.from, way.to, {kDiscardPort, kDiscardPort}, random_payload());
  // What cannot be sent is not answered either, and the next way is tried.
  std::ignore = ::send(offloaded->get(), offloaded_bytes_.data(), offloaded_bytes_.size(), 0);
  std::ignore = ::send(computed->get(), computed_bytes_.data(), computed_bytes_.size(), 0);
  offloaded_ = std::move(*offloaded);
  computed_ = std::move(*computed);
  asked_at_ = std::chrono::steady_clock::now();
  return {};
}

Result<ChecksumProbe::Verdict> ChecksumProbe::step(const std::vector<Way>& ways) {
  if (verdict_ != Verdict::kUndecided || ways.empty()) return verdict_;
  if (std::chrono::steady_clock::now() - asked_at_ < kPatience) return verdict_;
  if (offloaded_) read_answers();
  if (verdict_ != Verdict::kUndecided) return verdict_;
  if (auto asked = ask(ways[next_way_ % ways.size()]); !asked) {
    ++next_way_;
    return fail(asked);
  }
  return verdict_;
}

}  // namespace kubecni
