#include "net/address.hpp"

#include "net/netlink_request.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace kubecni {

namespace {

/// The scope of an address. The kernel knows it for IPv6, but not for IPv4: a link-local address
/// must not become the source of packets to elsewhere.
std::uint8_t scope_of(const IpAddr& addr) {
  static const IpNet kLinkLocal4 = IpNet::parse("169.254.0.0/16").value();
  return kLinkLocal4.contains(addr) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

}  // namespace

Result<> ensure_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net,
                        NetworkRoute route) {
  // Not NLM_F_REPLACE: that would notify every listener each time.
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                         ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(net.addr.family()),
                                   .ifa_prefixlen = static_cast<std::uint8_t>(net.prefix),
                                   .ifa_scope = scope_of(net.addr),
                                   .ifa_index = ifindex});
  request.put(IFA_LOCAL, net.addr);
  request.put(IFA_ADDRESS, net.addr);
  const std::uint32_t flags = (net.addr.is_v4() ? 0u : unsigned{IFA_F_NODAD}) |
                              (route == NetworkRoute::kYes ? 0u : unsigned{IFA_F_NOPREFIXROUTE});
  if (flags != 0) request.put(IFA_FLAGS, flags);
  if (net.addr.is_v4() && net.prefix < 31)
    request.put(IFA_BROADCAST, net.network().addr.plus((1ull << (32 - net.prefix)) - 1));
  auto added =
      request.exchange(netlink, "add address " + net.str() + " to link " + std::to_string(ifindex));
  if (!added && added.error().code == EEXIST) return {};
  return added;
}

Result<> delete_address(NetlinkSocket& netlink, unsigned ifindex, const IpNet& net) {
  NetlinkRequest request(RTM_DELADDR, 0,
                         ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(net.addr.family()),
                                   .ifa_prefixlen = static_cast<std::uint8_t>(net.prefix),
                                   .ifa_index = ifindex});
  request.put(IFA_LOCAL, net.addr);
  auto deleted = request.exchange(
      netlink, "delete address " + net.str() + " of link " + std::to_string(ifindex));
  if (!deleted && (deleted.error().code == EADDRNOTAVAIL || deleted.error().code == ENODEV))
    return {};
  return deleted;
}

namespace {

/// Whether packets to `addr` are for this namespace (`ip route get`).
Result<bool> is_own(NetlinkSocket& netlink, const IpAddr& addr) {
  bool is_local = false;
  NetlinkRequest request(RTM_GETROUTE, 0,
                         rtmsg{.rtm_family = static_cast<std::uint8_t>(addr.family()),
                               .rtm_dst_len = static_cast<std::uint8_t>(addr.bits())});
  request.put(RTA_DST, addr);
  auto done =
      request.exchange(netlink, "find the route to " + addr.str(), [&](const nlmsghdr* message) {
        is_local = static_cast<const rtmsg*>(nlmsg_data(message))->rtm_type == RTN_LOCAL;
      });
  // Without a carrier on the link, there may be no route at all.
  const bool has_none =
      !done && (done.error().code == ENETUNREACH || done.error().code == EHOSTUNREACH);
  if (!done && !has_none) return fail(done);
  return is_local;
}

}  // namespace

Result<> await_address(NetlinkSocket& netlink, const IpAddr& addr) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLongest{1000}, kStep{1};
  for (const auto end = Clock::now() + kLongest;;) {
    auto own = is_own(netlink, addr);
    if (!own) return fail(own);
    if (*own) return {};
    if (Clock::now() >= end) return sys_error(ETIMEDOUT, "wait for the address " + addr.str());
    std::this_thread::sleep_for(kStep);
  }
}

Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& netlink) {
  std::vector<LinkAddress> addresses;
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{.ifa_family = AF_UNSPEC});
  auto done = request.dump(
      netlink, "list addresses", [&] { addresses.clear(); },
      [&](const nlmsghdr* message) {
        const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(message));
        const Attributes<IFA_MAX> attributes(message, info);
        // For IPv6, IFA_LOCAL is only set if a peer has another address.
        const auto local = attributes.ip(IFA_LOCAL);
        if (const auto addr = local ? local : attributes.ip(IFA_ADDRESS))
          addresses.push_back({info->ifa_index, IpNet{*addr, info->ifa_prefixlen}});
      });
  if (!done) return fail(done);
  return addresses;
}

}  // namespace kubecni
