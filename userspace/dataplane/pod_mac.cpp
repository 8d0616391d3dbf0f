#include "dataplane/pod_mac.hpp"

#include "base/fnv.hpp"
#include "net/neighbour.hpp"
#include "net/route.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

namespace kubecni {

MacAddr pod_mac_of(const IpAddr& addr) {
  if (addr.is_v4()) return MacAddr::derived_from(addr);
  const auto hash =
      fnv1a<std::uint32_t>({reinterpret_cast<const char*>(addr.data()), addr.bytes()});
  MacAddr mac{{0x0a, 0x58}};
  for (std::size_t i = 0; i < 4; ++i)
    mac.bytes[2 + i] = static_cast<std::uint8_t>(hash >> (24 - 8 * i));
  return mac;
}

Result<> check_mac_is_free(NetlinkSocket& node, const Link& bridge, const MacAddr& mac) {
  auto links = list_links(node);
  if (!links) return fail(links);
  const auto link = std::ranges::find(*links, mac, &Link::mac);
  if (link != links->end())
    return failure(EADDRINUSE, "MAC " + mac.str() + " is that of " + link->name + " on this node");
  // Permanent entries of ours follow from a pod's port, or are left from a pod that is gone.
  auto neighbour = find_neighbour_at(node, bridge.ifindex, mac, kRouteProtocol);
  if (!neighbour) return fail(neighbour);
  if (*neighbour)
    return failure(EADDRINUSE, "MAC " + mac.str() + " is that of " + (*neighbour)->str() +
                                   " on bridge " + bridge.name);
  return {};
}

}  // namespace kubecni
