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
  std::uint8_t protocol = 0;  ///< who made it, as for a route (RTPROT_*); 0: unknown

  auto operator<=>(const Neighbour&) const = default;
};

/// Makes the entry permanent (NUD_PERMANENT), replacing another for the same address. Errors:
/// ENODEV no such link; EINVAL IPv6 is disabled on it.
Result<> ensure_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// Absent is success.
Result<> delete_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour);

/// The permanent entry of the link for `addr`; empty if there is none, or the kernel cannot tell
/// (before 5.0).
Result<std::optional<Neighbour>> find_permanent_neighbour(NetlinkSocket& netlink, unsigned ifindex,
                                                          const IpAddr& addr);

/// An address that the link reaches at `mac`, in any state. Ignores entries made by `protocol`, and
/// those in fe80::/10, which may be left from a previous owner. Empty if there is none.
Result<std::optional<IpAddr>> find_neighbour_at(NetlinkSocket& netlink, unsigned ifindex,
                                                const MacAddr& mac, std::uint8_t protocol);

/// At which MAC the link reaches `addr`, if the kernel knows.
Result<std::optional<MacAddr>> find_mac_of(NetlinkSocket& netlink, unsigned ifindex,
                                           const IpAddr& addr);

/// The permanent entries of the link, or of all links, of both families, except multicast
/// addresses.
Result<std::vector<Neighbour>> list_permanent_neighbours(NetlinkSocket& netlink,
                                                         unsigned ifindex = 0);

/// An address of another link, for which `ifindex` answers ARP and ND. Its setting `proxy_ndp` has
/// to be 1 for IPv6.
struct NeighbourProxy {
  unsigned ifindex = 0;
  IpAddr addr;
  std::uint8_t protocol = 0;  ///< as of a Neighbour

  auto operator<=>(const NeighbourProxy&) const = default;
};

/// Repeating the call changes nothing. Errors: ENODEV no such link.
Result<> ensure_proxy(NetlinkSocket& netlink, const NeighbourProxy& proxy);

/// Absent is success.
Result<> delete_proxy(NetlinkSocket& netlink, const NeighbourProxy& proxy);

/// Of all links and both families.
Result<std::vector<NeighbourProxy>> list_proxies(NetlinkSocket& netlink);

}  // namespace kubecni
