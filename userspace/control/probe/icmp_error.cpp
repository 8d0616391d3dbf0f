#include "control/probe/icmp_error.hpp"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace kubecni {

namespace {

/// The codes of "destination unreachable" with which firewalls refuse; the others say that there is
/// no way. RFC 1812, section 5.2.7.1; RFC 4443, section 3.1. A closed port is one of them: packets
/// of pods that a firewall rejects without further word are answered so.
constexpr std::array<std::uint8_t, 4> kRefused4{ICMP_PORT_UNREACH, ICMP_NET_ANO, ICMP_HOST_ANO,
                                                ICMP_PKT_FILTERED};
constexpr std::array<std::uint8_t, 4> kRefused6{ICMP6_DST_UNREACH_ADMIN, ICMP6_DST_UNREACH_NOPORT,
                                                5, 6};  // failed policy, reject route

}  // namespace

std::optional<ProbeRefusal> refusal_of(const sock_extended_err& error, const IpAddr& by) {
  const bool v4 = error.ee_origin == SO_EE_ORIGIN_ICMP;
  if (!v4 && error.ee_origin != SO_EE_ORIGIN_ICMP6) return std::nullopt;
  const int unreachable = v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
  const int expired = v4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED;
  if (error.ee_type == expired) return ProbeRefusal{.by = by};
  if (error.ee_type != unreachable) return std::nullopt;
  if (v4 && error.ee_code == ICMP_FRAG_NEEDED) return std::nullopt;
  const bool is_firewall = std::ranges::count(v4 ? kRefused4 : kRefused6, error.ee_code) > 0;
  return ProbeRefusal{.by = by, .is_firewall = is_firewall};
}

}  // namespace kubecni
