#include "net/vxlan.hpp"

#include "net/address.hpp"
#include "net/netlink_request.hpp"
#include "net/sysctl.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

namespace kubecni {

namespace {

/// The attributes that only a VXLAN device has.
struct Details {
  bool external = false;
  std::uint16_t port = 0;
  bool accepts_no_checksum6 = false;
  bool makes_link_local = false;  ///< an IPv6 address as soon as it is up
};

Result<Details> read_details(NetlinkSocket& netlink, const Link& link) {
  Details details;
  NetlinkRequest request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(link.ifindex)});
  auto done =
      request.exchange(netlink, "read VXLAN device " + link.name, [&](const nlmsghdr* message) {
        const Attributes<IFLA_MAX> attributes(message, static_cast<ifinfomsg*>(nullptr));
        const Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
        const Attributes<IFLA_VXLAN_MAX> data(info[IFLA_INFO_DATA]);
        details.external = data.u8(IFLA_VXLAN_COLLECT_METADATA) != 0;
        details.port = ntohs(data.u16(IFLA_VXLAN_PORT));
        details.accepts_no_checksum6 = data.u8(IFLA_VXLAN_UDP_ZERO_CSUM6_RX) != 0;
        const Attributes<AF_MAX> families(attributes[IFLA_AF_SPEC]);
        const Attributes<IFLA_INET6_MAX> ipv6(families[AF_INET6]);
        details.makes_link_local = ipv6[IFLA_INET6_ADDR_GEN_MODE] &&
                                   ipv6.u8(IFLA_INET6_ADDR_GEN_MODE) != IN6_ADDR_GEN_MODE_NONE;
      });
  if (!done) return fail(done);
  return details;
}

/// Who has the port: the name of another VXLAN device, or how to find the program.
std::string holder_of_port(NetlinkSocket& netlink, const VxlanSpec& spec) {
  const std::string port = std::to_string(spec.port);
  std::string program = "a program (ss -lunp 'sport = :" + port + "' names it)";
  const auto links = list_links(netlink);
  if (!links) return program;
  for (const Link& link : *links) {
    if (link.kind != "vxlan" || link.name == spec.name) continue;
    const auto details = read_details(netlink, link);
    if (details && details->port == spec.port) return "device " + link.name;
  }
  return program;
}

std::unexpected<Error> port_in_use(NetlinkSocket& netlink, const VxlanSpec& spec) {
  return failure(EADDRINUSE, "VXLAN device " + spec.name + ": UDP port " +
                                 std::to_string(spec.port) + " is in use on this node, by " +
                                 holder_of_port(netlink, spec) +
                                 "; choose another port, the same on every node");
}

Result<> create(NetlinkSocket& netlink, const VxlanSpec& spec) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.put(IFLA_IFNAME, spec.name);
  request.put(IFLA_ADDRESS, spec.mac);
  request.put(IFLA_MTU, std::uint32_t{spec.mtu});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, std::string("vxlan"));
    request.nest(IFLA_INFO_DATA, [&] {
      request.put(IFLA_VXLAN_COLLECT_METADATA, std::uint8_t{1});
      request.put(IFLA_VXLAN_PORT, htons(spec.port));
      request.put(IFLA_VXLAN_LEARNING, std::uint8_t{0});
      request.put(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, std::uint8_t{1});
      request.put(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, std::uint8_t{1});
    });
  });
  auto created = request.exchange(netlink, "create VXLAN device " + spec.name);
  if (created || created.error().code != EEXIST) return created;
  auto namesake = find_link(netlink, spec.name);
  if (!namesake) return fail(namesake);
  // No other device has the name, so the port is taken: by another device of this kind.
  if (!*namesake) return port_in_use(netlink, spec);
  return created;
}

/// Corrects MAC and MTU and sets the device up, in one request.
Result<> set_up(NetlinkSocket& netlink, const Link& link, const VxlanSpec& spec) {
  NetlinkRequest request(
      RTM_NEWLINK, 0,
      ifinfomsg{
          .ifi_index = static_cast<int>(link.ifindex), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.put(IFLA_ADDRESS, spec.mac);
  request.put(IFLA_MTU, std::uint32_t{spec.mtu});
  auto up = request.exchange(netlink, "set up VXLAN device " + spec.name);
  // A device that is not up is useless, and would look usable.
  if (!up && !link.up) (void)delete_link(netlink, link.ifindex);
  if (!up && up.error().code == EADDRINUSE) return port_in_use(netlink, spec);
  return up;
}

/// The device with the spec's name, if it can be made to fit. Deletes one with another port.
Result<std::optional<Link>> find_usable(NetlinkSocket& netlink, const VxlanSpec& spec) {
  auto link = find_link(netlink, spec.name);
  if (!link || !*link) return link;
  auto details = read_details(netlink, **link);
  if (!details) return fail(details);
  if ((*link)->kind != "vxlan" || !details->external)
    return failure(EEXIST,
                   "link " + spec.name +
                       " exists and is not a VXLAN device of kube-cni (type vxlan external);"
                       " remove it: ip link delete " +
                       spec.name);
  if (details->port == spec.port && details->accepts_no_checksum6) return link;
  if (auto deleted = delete_link(netlink, (*link)->ifindex); !deleted) return fail(deleted);
  return std::nullopt;
}

/// A peer may send through the tunnel from an address to which we send another way. The kernel uses
/// the higher of the device's reverse path filter and that of "all"; 2 is loose. But even the loose
/// filter drops packets on a device without any address.
Result<> open_to_any_source(NetlinkSocket& netlink, const Link& link) {
  static const IpNet kOwnAddress = IpNet::parse("169.254.84.84/32").value();
  auto loose = ensure_sysctl("net/ipv4/conf/" + link.name + "/rp_filter", "2");
  if (!loose) return fail(loose, "reverse path filter of " + link.name);
  return ensure_address(netlink, link.ifindex, kOwnAddress);
}

bool is_as_wanted(const Link& link, const VxlanSpec& spec) {
  return link.up && link.mac == spec.mac && link.mtu == spec.mtu;
}

}  // namespace

Result<Link> ensure_vxlan(NetlinkSocket& netlink, const VxlanSpec& spec) {
  auto link = find_usable(netlink, spec);
  if (link && !*link) {
    if (auto created = create(netlink, spec); !created) return fail(created);
    link = find_link(netlink, spec.name);
  }
  if (!link) return fail(link);
  if (!*link) return failure(ENODEV, "link " + spec.name + " was deleted while it was set up");
  auto details = read_details(netlink, **link);
  if (!details) return fail(details);
  if (details->makes_link_local) {
    if (auto kept = keep_without_link_local(netlink, **link); !kept) return fail(kept);
  }
  if (!is_as_wanted(**link, spec)) {
    if (auto up = set_up(netlink, **link, spec); !up) return fail(up);
    link = find_link(netlink, (*link)->ifindex);
    if (!link) return fail(link);
    if (!*link) return failure(ENODEV, "link " + spec.name + " was deleted while it was set up");
  }
  if (spec.ipv6) {
    auto on = ensure_sysctl("net/ipv6/conf/" + spec.name + "/disable_ipv6", "0");
    if (!on) return fail(on, "IPv6 on " + spec.name);
  }
  if (auto open = open_to_any_source(netlink, **link); !open) return fail(open);
  return **link;
}

}  // namespace kubecni
