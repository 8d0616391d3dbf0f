#pragma once

#include "base/ip.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace kubecni {

/// How a question reaches the other node, and its answer comes back.
enum class ProbeWay : std::uint8_t {
  kPods = 0,    ///< as packets between pods do, through bridge, netfilter and routes of both nodes
  kDirect = 1,  ///< straight over the link; the answer as pods' packets
  kTunnel = 2,  ///< through the tunnel, and back through it
  kNode = 3,    ///< between the nodes' own addresses
};
inline constexpr std::size_t kProbeWays = 4;

/// What a node says of itself in an answer.
struct ProbeFlags {
  bool probes_v4 = false;  ///< it has a probe address of that family, and answers there
  bool probes_v6 = false;
  bool drops_forwarded = false;  ///< a chain drops forwarded packets, and has no rules for pods

  auto operator<=>(const ProbeFlags&) const = default;
};

/// Bytes that nobody can guess: an answer counts only if it has those of a question.
using ProbeNonce = std::array<std::uint8_t, 16>;
ProbeNonce random_nonce();

struct ProbeMessage {
  bool is_answer = false;
  ProbeWay way = ProbeWay::kPods;
  ProbeNonce nonce{};
  ProbeFlags flags{};

  auto operator<=>(const ProbeMessage&) const = default;
};

/// A question is as long as its answer, so that nobody can use a node to send more than he sends.
using ProbeBytes = std::array<std::uint8_t, 32>;

ProbeBytes encode(const ProbeMessage& message);
/// Empty: it is none, or of a version that we do not know.
std::optional<ProbeMessage> decode_probe(std::span<const std::uint8_t> bytes);

/// The address of the node that has this PodCIDR, at which its daemon answers. No pod gets it: of
/// IPv4 it is the network's own address, of IPv6 the last one. Empty: the PodCIDR has none that
/// would stay free; of IPv6 that is one with less than 2^32 addresses.
std::optional<IpAddr> probe_address_of(const IpNet& pod_cidr);

}  // namespace kubecni
