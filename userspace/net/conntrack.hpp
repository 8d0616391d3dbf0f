#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>

namespace kubecni {

/// A UDP flow as the kernel's connection tracking sees it.
struct UdpFlow {
  IpAddr source;                       ///< of the first packet, as it was sent
  IpAddr destination;                  ///< likewise
  std::uint16_t destination_port = 0;  ///< likewise
  IpAddr answered_by;  ///< who gets the packets: differs from `destination` after DNAT
  IpAddr answered_to;  ///< who gets the answers: differs from `source` after SNAT
};

/// Makes connection tracking forget UDP flows. An active flow keeps the translation with which it
/// began for ever, even if that leads nowhere any more. Both functions work in the calling thread's
/// network namespace, and return how many flows were forgotten; 0 without connection tracking.
/// Errors: EPERM no CAP_NET_ADMIN.

/// Flows that are translated (DNAT) to `pod`. The kernel filters them, so other flows add little
/// cost; for IPv6 it filters only by UDP.
Result<unsigned> forget_udp_flows_to(const IpAddr& pod);

/// Flows of the family for which `is_stale` is true.
Result<unsigned> forget_udp_flows(int family, const std::function<bool(const UdpFlow&)>& is_stale);

}  // namespace kubecni
