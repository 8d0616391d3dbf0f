#pragma once

#include "base/ip.hpp"
#include "base/mac.hpp"
#include "base/result.hpp"
#include "net/netlink.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace kubecni {

/// An entry of the ARP or ND table that does not age.
struct Neighbour {
  unsigned ifindex = 0;
  IpAddr addr;
  MacAddr mac;
  std::uint8_t protocol = 0;  ///< who made it, as of a route (RTPROT_*); 0: not said

  auto operator<=>(const Neighbour&) const = default;
};

/// Makes the entry permanent (NUD_PERMANENT), in place of another for the same
/// address. Errors: ENODEV no such link; EINVAL IPv6 is switched off on it.
Result<> ensure_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// Absent is success.
Result<> delete_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// An address that the link reaches at `mac`, in whatever state, of no entry that `protocol`
/// made, and none of fe80::/10, which may be left of who was there before; empty when there is
/// none.
Result<std::optional<IpAddr>> find_neighbour_at(NetlinkSocket& netlink, unsigned ifindex,
                                                const MacAddr& mac, std::uint8_t protocol);

/// The permanent entries of the link, of both families, but for multicast addresses.
Result<std::vector<Neighbour>> list_permanent_neighbours(NetlinkSocket& netlink, unsigned ifindex);

}  // namespace kubecni
