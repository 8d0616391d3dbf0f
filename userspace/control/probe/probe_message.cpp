#include "control/probe/probe_message.hpp"

#include <sys/random.h>

#include <algorithm>
#include <tuple>

namespace kubecni {

namespace {

// The last byte is the version.
constexpr std::array<std::uint8_t, 8> kMagic{'k', 'c', 'n', 'i', 'p', 'r', 'b', 1};
constexpr std::size_t kAnswerAt = kMagic.size();
constexpr std::size_t kWayAt = kAnswerAt + 1;
constexpr std::size_t kFlagsAt = kWayAt + 1;
constexpr std::size_t kNonceAt = 16;

constexpr std::uint8_t kProbesV4 = 1;
constexpr std::uint8_t kProbesV6 = 2;
constexpr std::uint8_t kDropsForwarded = 4;

constexpr unsigned kLongestPrefix4 = 30;  // as of a pool
constexpr unsigned kLongestPrefix6 = 96;

}  // namespace

ProbeNonce random_nonce() {
  ProbeNonce nonce{};
  // Never short for so few bytes: getrandom(2).
  std::ignore = ::getrandom(nonce.data(), nonce.size(), 0);
  return nonce;
}

ProbeBytes encode(const ProbeMessage& message) {
  ProbeBytes bytes{};
  std::ranges::copy(kMagic, bytes.begin());
  bytes[kAnswerAt] = message.is_answer ? 1 : 0;
  bytes[kWayAt] = static_cast<std::uint8_t>(message.way);
  bytes[kFlagsAt] = static_cast<std::uint8_t>(
      (message.flags.probes_v4 ? kProbesV4 : 0) | (message.flags.probes_v6 ? kProbesV6 : 0) |
      (message.flags.drops_forwarded ? kDropsForwarded : 0));
  std::ranges::copy(message.nonce, bytes.begin() + kNonceAt);
  return bytes;
}

std::optional<ProbeMessage> decode_probe(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != ProbeBytes().size() ||
      !std::ranges::equal(kMagic, bytes.first(kMagic.size())) || bytes[kAnswerAt] > 1 ||
      bytes[kWayAt] >= kProbeWays)
    return std::nullopt;
  const std::uint8_t flags = bytes[kFlagsAt];
  ProbeMessage message{.is_answer = bytes[kAnswerAt] == 1,
                       .way = static_cast<ProbeWay>(bytes[kWayAt]),
                       .flags = {.probes_v4 = (flags & kProbesV4) != 0,
                                 .probes_v6 = (flags & kProbesV6) != 0,
                                 .drops_forwarded = (flags & kDropsForwarded) != 0}};
  std::ranges::copy(bytes.subspan(kNonceAt), message.nonce.begin());
  return message;
}

std::optional<IpAddr> probe_address_of(const IpNet& pod_cidr) {
  if (pod_cidr.prefix > (pod_cidr.addr.is_v4() ? kLongestPrefix4 : kLongestPrefix6))
    return std::nullopt;
  return pod_cidr.addr.is_v4() ? pod_cidr.network().addr : pod_cidr.addr.filled(pod_cidr.prefix);
}

}  // namespace kubecni
