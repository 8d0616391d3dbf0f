#include "daemon/checksum_probe.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

namespace kubecni {

namespace {

constexpr std::uint16_t kDiscardPort = 9;  // RFC 863: where it is served, nothing is answered
constexpr unsigned kRoundsToBeSure = 3;
// Larger than what Ethernet pads, and not a multiple of anything.
constexpr std::array<std::uint8_t, 97> kPayload{0x6b, 0x75, 0x62, 0x65};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress address_of(const IpAddr& ip, std::uint16_t port) {
  SocketAddress address;
  if (ip.is_v4()) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&v4.sin_addr, ip.data(), sizeof(v4.sin_addr));
    std::memcpy(&address.storage, &v4, sizeof(v4));
    address.size = sizeof(v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.data(), sizeof(v6.sin6_addr));
    std::memcpy(&address.storage, &v6, sizeof(v6));
    address.size = sizeof(v6);
  }
  return address;
}

Result<UniqueFd> connect_by(const ChecksumProbe::Way& way, int type, int protocol,
                            std::uint16_t port) {
  UniqueFd fd(::socket(way.to.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  const auto own = address_of(way.from, 0);
  const auto other = address_of(way.to, port);
  if (!fd || ::bind(fd.get(), own.get(), own.size) != 0 ||
      ::connect(fd.get(), other.get(), other.size) != 0)
    return sys_error(errno, "probe of checksums from " + way.from.str() + " to " + way.to.str());
  return fd;
}

/// Adds big-endian words to an Internet checksum, RFC 1071.
std::uint32_t add_words(std::uint32_t sum, const std::uint8_t* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  return sum;
}

std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// A UDP datagram with its checksum.
std::array<std::uint8_t, sizeof(udphdr) + kPayload.size()> datagram(const ChecksumProbe::Way& way) {
  std::array<std::uint8_t, sizeof(udphdr) + kPayload.size()> bytes{};
  udphdr header{};
  header.uh_sport = htons(kDiscardPort);
  header.uh_dport = htons(kDiscardPort);
  header.uh_ulen = htons(static_cast<std::uint16_t>(bytes.size()));
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), kPayload.data(), kPayload.size());
  std::uint32_t sum = IPPROTO_UDP + static_cast<std::uint32_t>(bytes.size());
  sum = add_words(sum, way.from.data(), way.from.bytes());
  sum = add_words(sum, way.to.data(), way.to.bytes());
  const std::uint16_t checksum = fold(add_words(sum, bytes.data(), bytes.size()));
  header.uh_sum = htons(checksum == 0 ? 0xffff : checksum);  // 0 would mean that there is none
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

/// Whether the other side said that nobody is at that port, or that it lets nobody.
bool was_answered(const UniqueFd& fd) {
  std::array<std::uint8_t, 1> byte{};
  return fd && ::recv(fd.get(), byte.data(), byte.size(), 0) < 0 && errno != EAGAIN &&
         errno != EINTR;
}

}  // namespace

void ChecksumProbe::read_answers() {
  // An answer to either comes to the second socket, too, which is a raw one.
  if (was_answered(offloaded_)) {
    verdict_ = Verdict::kRight;
  } else if (was_answered(computed_)) {
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
  const auto bytes = datagram(way);
  // What cannot be sent is not answered either, and the next way is tried.
  std::ignore = ::send(offloaded->get(), kPayload.data(), kPayload.size(), 0);
  std::ignore = ::send(computed->get(), bytes.data(), bytes.size(), 0);
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
