#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <vector>

namespace kubecni {

/// An entry of the ARP or ND table that does not age.
struct Neighbour {
  unsigned ifindex = 0;
  IpAddr addr;
  MacAddr mac;

  auto operator<=>(const Neighbour&) const = default;
};

/// Makes the entry permanent (NUD_PERMANENT), in place of another for the same
/// address. Errors: ENODEV no such link; EINVAL IPv6 is switched off on it.
Result<> ensure_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// Absent is success.
Result<> delete_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// The permanent entries of the link, of both families, but for multicast addresses.
Result<std::vector<Neighbour>> list_permanent_neighbours(NetlinkSocket& netlink, unsigned ifindex);

}  // namespace kubecni
