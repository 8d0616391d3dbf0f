#pragma once

#include "base/ip.hpp"
#include "base/result.hpp"

#include <functional>

namespace kubecni {

/// A UDP flow as the kernel's connection tracking sees it.
struct UdpFlow {
  IpAddr source;       ///< of the first packet, as it was sent
  IpAddr destination;  ///< likewise
  IpAddr answered_by;  ///< whom the packets reach: another than `destination` after DNAT
  IpAddr answered_to;  ///< whom the answers go to: another than `source` after SNAT
};

/// Makes connection tracking forget UDP flows. A flow that goes on keeps the
/// translation with which it began for ever, also when that leads nowhere any more.
/// Both work in the calling thread's network namespace, return how many flows
/// were forgotten, and 0 where there is no connection tracking.
/// Errors: EPERM no CAP_NET_ADMIN.

/// Those that are translated (DNAT) to `pod`. The kernel selects them, so that the
/// cost does not depend on how many others there are by much; of IPv6 only by UDP.
Result<unsigned> forget_udp_flows_to(const IpAddr& pod);

/// Those of the family for which `is_stale` holds.
Result<unsigned> forget_udp_flows(int family, const std::function<bool(const UdpFlow&)>& is_stale);

}  // namespace kubecni
