#include "net/announce.hpp"

#include "base/unique_fd.hpp"
#include "net/link.hpp"
#include "net/netns.hpp"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace kubecni {

namespace {

/// An ARP packet for IPv4 over Ethernet.
struct __attribute__((packed)) ArpPacket {
  std::uint16_t hardware = htons(ARPHRD_ETHER);
  std::uint16_t protocol = htons(ETH_P_IP);
  std::uint8_t hardware_size = ETH_ALEN;
  std::uint8_t protocol_size = sizeof(in_addr);
  std::uint16_t operation = htons(ARPOP_REQUEST);
  std::array<std::uint8_t, ETH_ALEN> sender_mac{};
  std::array<std::uint8_t, sizeof(in_addr)> sender{};
  std::array<std::uint8_t, ETH_ALEN> target_mac{};
  std::array<std::uint8_t, sizeof(in_addr)> target{};
};

struct Advertisement {
  nd_neighbor_advert header;
  nd_opt_hdr option;
  std::array<std::uint8_t, ETH_ALEN> mac;
};

Result<> announce_v4(unsigned ifindex, const MacAddr& mac, const IpAddr& address) {
  const UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return sys_error(errno, "packet socket");
  ArpPacket packet{.sender_mac = mac.bytes};
  std::copy_n(address.data(), packet.sender.size(), packet.sender.begin());
  packet.target = packet.sender;
  sockaddr_ll everybody{.sll_family = AF_PACKET,
                        .sll_protocol = htons(ETH_P_ARP),
                        .sll_ifindex = static_cast<int>(ifindex),
                        .sll_halen = ETH_ALEN};
  std::fill_n(everybody.sll_addr, ETH_ALEN, std::uint8_t{0xff});
  if (::sendto(fd.get(), &packet, sizeof(packet), 0, reinterpret_cast<sockaddr*>(&everybody),
               sizeof(everybody)) < 0)
    return sys_error(errno, "send ARP");
  return {};
}

sockaddr_in6 socket_address(const IpAddr& address, unsigned ifindex) {
  sockaddr_in6 made{.sin6_family = AF_INET6, .sin6_scope_id = ifindex};
  std::memcpy(&made.sin6_addr, address.data(), sizeof(made.sin6_addr));
  return made;
}

Result<> announce_v6(unsigned ifindex, const MacAddr& mac, const IpAddr& address) {
  constexpr std::uint8_t kAllNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr int kHopLimit = 255, kOff = 0;  // RFC 4861: a router would have counted it down
  const auto refuse = [] { return sys_error(errno, "send a neighbour advertisement"); };
  const UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (!fd) return refuse();
  const sockaddr_in6 own = socket_address(address, 0);
  const sockaddr_in6 everybody = socket_address(IpAddr::v6(kAllNodes), ifindex);
  const int link = static_cast<int>(ifindex);
  for (const auto& [option, value] : {std::pair{IPV6_MULTICAST_HOPS, kHopLimit},
                                      {IPV6_MULTICAST_IF, link},
                                      {IPV6_MULTICAST_LOOP, kOff}})
    if (::setsockopt(fd.get(), IPPROTO_IPV6, option, &value, sizeof(value)) != 0) return refuse();
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0) return refuse();
  Advertisement message{};
  message.header.nd_na_type = ND_NEIGHBOR_ADVERT;
  message.header.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
  message.header.nd_na_target = own.sin6_addr;
  message.option = {.nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1};
  message.mac = mac.bytes;
  if (::sendto(fd.get(), &message, sizeof(message), 0,
               reinterpret_cast<const sockaddr*>(&everybody), sizeof(everybody)) < 0)
    return refuse();
  return {};
}

}  // namespace

Result<> announce_addresses(int netns_fd, const std::string& ifname, const MacAddr& mac,
                            const std::vector<IpAddr>& addresses) {
  auto there = NetnsGuard::enter(netns_fd);
  if (!there) return fail(there);
  auto netlink = NetlinkSocket::open();
  if (!netlink) return fail(netlink);
  auto link = find_link(*netlink, ifname);
  if (!link) return fail(link);
  if (!*link) return sys_error(ENODEV, "announce addresses on " + ifname);
  const unsigned ifindex = (*link)->ifindex;
  for (const IpAddr& address : addresses) {
    auto told =
        address.is_v4() ? announce_v4(ifindex, mac, address) : announce_v6(ifindex, mac, address);
    if (!told) return fail(told, "announce " + address.str() + " on " + ifname);
  }
  return {};
}

}  // namespace kubecni
