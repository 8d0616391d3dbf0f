#include "net/neighbour.hpp"

#include "net/netlink_request.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>

namespace kubecni {

namespace {

ndmsg header_of(const Neighbour& neighbour) {
  return {.ndm_family = static_cast<std::uint8_t>(neighbour.addr.family()),
          .ndm_ifindex = static_cast<int>(neighbour.ifindex),
          .ndm_state = NUD_PERMANENT};
}

ndmsg header_of(const NeighbourProxy& proxy) {
  return {.ndm_family = static_cast<std::uint8_t>(proxy.addr.family()),
          .ndm_ifindex = static_cast<int>(proxy.ifindex),
          .ndm_flags = NTF_PROXY};
}

std::string describe(const Neighbour& neighbour) {
  return neighbour.addr.str() + " at " + neighbour.mac.str() + " on link " +
         std::to_string(neighbour.ifindex);
}

bool is_multicast(const IpAddr& addr) {
  const std::uint8_t first = addr.data()[0];
  return addr.is_v4() ? (first & 0xf0) == 0xe0 : first == 0xff;
}

struct Entry {
  Neighbour neighbour;
  bool permanent = false;
};

/// Empty for entries of other links than `ifindex`, unless that is 0: not all kernels filter a dump
/// by link.
std::optional<Entry> parse_entry(const nlmsghdr* message, unsigned ifindex) {
  const auto* entry = static_cast<const ndmsg*>(nlmsg_data(message));
  const Attributes<NDA_MAX> attributes(message, entry);
  const auto addr = attributes.ip(NDA_DST);
  const auto mac = attributes.mac(NDA_LLADDR);
  const bool is_ip = entry->ndm_family == AF_INET || entry->ndm_family == AF_INET6;
  const auto link = static_cast<unsigned>(entry->ndm_ifindex);
  if (!is_ip || (ifindex != 0 && link != ifindex) || !addr || !mac || is_multicast(*addr))
    return std::nullopt;
  return Entry{{link, *addr, *mac, attributes.u8(NDA_PROTOCOL)}, entry->ndm_state == NUD_PERMANENT};
}

Result<std::vector<Entry>> list_entries(NetlinkSocket& netlink, unsigned ifindex) {
  std::vector<Entry> entries;
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_UNSPEC});
  if (ifindex != 0) request.put(NDA_IFINDEX, std::uint32_t{ifindex});
  const std::string of = ifindex == 0 ? "" : " of link " + std::to_string(ifindex);
  auto done = request.dump(
      netlink, "list neighbours" + of, [&] { entries.clear(); },
      [&](const nlmsghdr* message) {
        if (const auto entry = parse_entry(message, ifindex)) entries.push_back(*entry);
      });
  if (!done) return fail(done);
  return entries;
}

/// Empty also where the kernel cannot tell (before 5.0).
Result<std::optional<Entry>> find_entry(NetlinkSocket& netlink, unsigned ifindex,
                                        const IpAddr& addr) {
  std::optional<Entry> entry;
  // The kernel refuses a state in a question.
  NetlinkRequest request(RTM_GETNEIGH, 0,
                         ndmsg{.ndm_family = static_cast<std::uint8_t>(addr.family()),
                               .ndm_ifindex = static_cast<int>(ifindex)});
  request.put(NDA_DST, addr);
  auto done =
      request.exchange(netlink, "find neighbour " + addr.str(),
                       [&](const nlmsghdr* message) { entry = parse_entry(message, ifindex); });
  const bool is_unknown = !done && (done.error().code == ENOENT || done.error().code == EOPNOTSUPP);
  if (!done && !is_unknown) return fail(done);
  return entry;
}

}  // namespace

Result<> ensure_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour) {
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header_of(neighbour));
  request.put(NDA_DST, neighbour.addr);
  request.put(NDA_LLADDR, neighbour.mac);
  if (neighbour.protocol != 0) request.put(NDA_PROTOCOL, neighbour.protocol);
  return request.exchange(netlink, "add neighbour " + describe(neighbour));
}

Result<> delete_neighbour(NetlinkSocket& netlink, const Neighbour& neighbour) {
  NetlinkRequest request(RTM_DELNEIGH, 0, header_of(neighbour));
  request.put(NDA_DST, neighbour.addr);
  auto done = request.exchange(netlink, "delete neighbour " + describe(neighbour));
  // A deleted link took its neighbours along.
  if (!done && (done.error().code == ENOENT || done.error().code == ENODEV)) return {};
  return done;
}

Result<std::optional<Neighbour>> find_permanent_neighbour(NetlinkSocket& netlink, unsigned ifindex,
                                                          const IpAddr& addr) {
  auto entry = find_entry(netlink, ifindex, addr);
  if (!entry) return fail(entry);
  if (!*entry || !(*entry)->permanent) return std::nullopt;
  return (*entry)->neighbour;
}

Result<std::optional<IpAddr>> find_neighbour_at(NetlinkSocket& netlink, unsigned ifindex,
                                                const MacAddr& mac, std::uint8_t protocol) {
  auto entries = list_entries(netlink, ifindex);
  if (!entries) return fail(entries);
  for (const auto& [neighbour, permanent] : *entries)
    if (neighbour.mac == mac && neighbour.protocol != protocol && !neighbour.addr.is_link_local())
      return neighbour.addr;
  return std::nullopt;
}

Result<std::optional<MacAddr>> find_mac_of(NetlinkSocket& netlink, unsigned ifindex,
                                           const IpAddr& addr) {
  auto entry = find_entry(netlink, ifindex, addr);
  if (!entry) return fail(entry);
  if (!*entry) return std::nullopt;
  return (*entry)->neighbour.mac;
}

Result<std::vector<Neighbour>> list_permanent_neighbours(NetlinkSocket& netlink, unsigned ifindex) {
  auto entries = list_entries(netlink, ifindex);
  if (!entries) return fail(entries);
  std::vector<Neighbour> neighbours;
  for (const auto& [neighbour, permanent] : *entries)
    if (permanent) neighbours.push_back(neighbour);
  return neighbours;
}

Result<> ensure_proxy(NetlinkSocket& netlink, const NeighbourProxy& proxy) {
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header_of(proxy));
  request.put(NDA_DST, proxy.addr);
  if (proxy.protocol != 0) request.put(NDA_PROTOCOL, proxy.protocol);
  return request.exchange(
      netlink, "answer for " + proxy.addr.str() + " on link " + std::to_string(proxy.ifindex));
}

Result<> delete_proxy(NetlinkSocket& netlink, const NeighbourProxy& proxy) {
  NetlinkRequest request(RTM_DELNEIGH, 0, header_of(proxy));
  request.put(NDA_DST, proxy.addr);
  auto done = request.exchange(netlink, "stop to answer for " + proxy.addr.str() + " on link " +
                                            std::to_string(proxy.ifindex));
  if (!done && (done.error().code == ENOENT || done.error().code == ENODEV)) return {};
  return done;
}

Result<std::vector<NeighbourProxy>> list_proxies(NetlinkSocket& netlink) {
  std::vector<NeighbourProxy> proxies;
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP,
                         ndmsg{.ndm_family = AF_UNSPEC, .ndm_flags = NTF_PROXY});
  auto done = request.dump(
      netlink, "list proxies of neighbours", [&] { proxies.clear(); },
      [&](const nlmsghdr* message) {
        const auto* entry = static_cast<const ndmsg*>(nlmsg_data(message));
        const Attributes<NDA_MAX> attributes(message, entry);
        const auto addr = attributes.ip(NDA_DST);
        const bool is_ip = entry->ndm_family == AF_INET || entry->ndm_family == AF_INET6;
        if (is_ip && addr)
          proxies.push_back(
              {static_cast<unsigned>(entry->ndm_ifindex), *addr, attributes.u8(NDA_PROTOCOL)});
      });
  if (!done) return fail(done);
  return proxies;
}

}  // namespace kubecni
