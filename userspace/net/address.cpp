#include "net/address.hpp"

#include "net/netlink_request.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace kubecni {

namespace {

/// The kernel knows it of IPv6, but takes our word for IPv4: an address that is valid on
/// its link alone must not become the source of anything else.
std::uint8_t scope_of(const IpAddr& addr) {
  static const IpNet kLinkLocal4 = IpNet::parse("169.254.0.0/16").value();
  return kLinkLocal4.contains(addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

}  // namespace

Result<> ensure_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net) {
  // Not NLM_F_REPLACE: that would notify every listener of a change each time.
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                         ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(net.addr.family()),
                                   .ifa_prefixlen = static_cast<std::uint8_t>(net.prefix),
                                   .ifa_scope = scope_of(net.addr),
                                   .ifa_index = ifindex});
  request.put(IFA_LOCAL, net.addr);
  request.put(IFA_ADDRESS, net.addr);
  if (!net.addr.is_v4()) request.put(IFA_FLAGS, std::uint32_t{IFA_F_NODAD});
  if (net.addr.is_v4() && net.prefix < 31)
    request.put(IFA_BROADCAST, net.network().addr.plus((1ull << (32 - net.prefix)) - 1));
  auto added =
      request.exchange(netlink, "add address " + net.str() + " to link " + std::to_string(ifindex));
  if (!added && added.error().code == EEXIST) return {};
  return added;
}

Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& netlink) {
  std::vector<LinkAddress> addresses;
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{.ifa_family = AF_UNSPEC});
  auto done = request.dump(
      netlink, "list addresses", [&] { addresses.clear(); },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(message));
        const Attributes<IFA_MAX> attributes(message, info);
        // IPv6 has IFA_LOCAL only where a peer has another address.
        const auto local = attributes.ip(IFA_LOCAL);
        if (const auto addr = local ? local : attributes.ip(IFA_ADDRESS))
          addresses.push_back({info->ifa_index, IpNet{*addr, info->ifa_prefixlen}});
      });
  if (!done) return fail(done);
  return addresses;
}

}  // namespace kubecni
