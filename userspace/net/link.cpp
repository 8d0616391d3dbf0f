#include "net/link.hpp"

#include "net/link_message.hpp"
#include "net/netlink_request.hpp"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace kubecni {

Link parse_link(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(message));
  const Attributes<IFLA_MAX> attributes(message, info);
  const Attributes<IFLA_INFO_MAX> link_info(attributes[IFLA_LINKINFO]);
  Link link;
  link.ifindex = static_cast<unsigned>(info->ifi_index);
  link.up = info->ifi_flags & IFF_UP;
  link.has_ethernet = info->ifi_type == ARPHRD_ETHER;
  link.name = attributes.text(IFLA_IFNAME);
  link.alias = attributes.text(IFLA_IFALIAS);
  link.kind = link_info.text(IFLA_INFO_KIND);
  link.mtu = attributes.u32(IFLA_MTU);
  link.master_ifindex = attributes.u32(IFLA_MASTER);
  link.mac = attributes.mac(IFLA_ADDRESS).value_or(MacAddr{});
  return link;
}

namespace {

Result<std::optional<Link>> get_link(NetlinkSocket& netlink, NetlinkRequest& request,
                                     const std::string& what) {
  std::optional<Link> link;
  auto done = request.exchange(netlink, "find link " + what,
                               [&](const nlmsghdr* message) { link = parse_link(message); });
  if (!done && done.error().code != ENODEV) return fail(done);
  return link;
}

}  // namespace

Result<std::optional<Link>> find_link(NetlinkSocket& netlink, const std::string& name) {
  NetlinkRequest request(RTM_GETLINK, 0, ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  return get_link(netlink, request, name);
}

Result<std::optional<Link>> find_link(NetlinkSocket& netlink, unsigned ifindex) {
  NetlinkRequest request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  return get_link(netlink, request, std::to_string(ifindex));
}

Result<std::vector<Link>> list_links(NetlinkSocket& netlink) {
  std::vector<Link> links;
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  auto done = request.dump(
      netlink, "list links", [&] { links.clear(); },
      [&](const nlmsghdr* message) { links.push_back(parse_link(message)); });
  if (!done) return fail(done);
  return links;
}

Result<> create_veth(NetlinkSocket& netlink, const VethSpec& veth) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.put(IFLA_IFNAME, veth.host_name);
  request.put(IFLA_ADDRESS, veth.host_mac);
  request.put(IFLA_MTU, std::uint32_t{veth.mtu});
  request.put(IFLA_MASTER, std::uint32_t{veth.bridge_ifindex});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, std::string("veth"));
    request.nest(IFLA_INFO_DATA, [&] {
      request.nest(VETH_INFO_PEER, [&] {
        const ifinfomsg peer{};
        request.append(&peer, sizeof(peer));
        request.put(IFLA_IFNAME, veth.pod_name);
        request.put(IFLA_ADDRESS, veth.pod_mac);
        request.put(IFLA_MTU, std::uint32_t{veth.mtu});
        request.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.pod_netns_fd));
      });
    });
  });
  auto created =
      request.exchange(netlink, "create veth " + veth.host_name + " with peer " + veth.pod_name);
  if (!created && created.error().code == EEXIST)
    return failure(EEXIST, created.error().what +
                               ": a link on the node or in the pod has that name "
                               "already; remove it");
  return created;
}

Result<> keep_without_link_local(NetlinkSocket& netlink, const Link& link) {
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(link.ifindex)});
  request.nest(IFLA_AF_SPEC, [&] {
    request.nest(AF_INET6, [&] {
      request.put(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
    });
  });
  return request.exchange(netlink, "keep " + link.name + " without a link-local address");
}

Result<> create_ifb(NetlinkSocket& netlink, const std::string& name, unsigned mtu) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  request.put(IFLA_MTU, std::uint32_t{mtu});
  request.nest(IFLA_LINKINFO, [&] { request.put(IFLA_INFO_KIND, std::string("ifb")); });
  if (auto created = request.exchange(netlink, "create ifb device " + name); !created)
    return created;
  auto ifb = find_link(netlink, name);
  if (!ifb) return fail(ifb);
  // A node without IPv6 has no such setting.
  if (*ifb) (void)keep_without_link_local(netlink, **ifb);
  return {};
}

Result<> set_link_up(NetlinkSocket& netlink, unsigned ifindex) {
  NetlinkRequest request(
      RTM_NEWLINK, 0,
      ifinfomsg{.ifi_index = static_cast<int>(ifindex), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  return request.exchange(netlink, "set link " + std::to_string(ifindex) + " up");
}

Result<> set_link_master(NetlinkSocket& netlink, unsigned ifindex, unsigned master_ifindex) {
  NetlinkRequest request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  request.put(IFLA_MASTER, std::uint32_t{master_ifindex});
  return request.exchange(netlink, "make link " + std::to_string(ifindex) + " a port of link " +
                                       std::to_string(master_ifindex));
}

Result<> delete_link(NetlinkSocket& netlink, unsigned ifindex) {
  NetlinkRequest request(RTM_DELLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  auto done = request.exchange(netlink, "delete link " + std::to_string(ifindex));
  if (!done && done.error().code == ENODEV) return {};
  return done;
}

}  // namespace kubecni
