#include "net/bridge.hpp"

#include "net/netlink_request.hpp"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

namespace kubecni {

namespace {

Result<> create_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                       unsigned mtu_bytes) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  request.put(IFLA_ADDRESS, mac);
  request.put(IFLA_MTU, std::uint32_t{mtu_bytes});
  request.nest(IFLA_LINKINFO, [&] { request.put(IFLA_INFO_KIND, std::string("bridge")); });
  auto created = request.exchange(netlink, "create bridge " + name);
  // Another ADD made it at the same time.
  if (!created && created.error().code == EEXIST) return {};
  return created;
}

struct PortState {
  BridgePort flags;
  std::uint8_t state = BR_STATE_DISABLED;
};

Result<PortState> read_port(NetlinkSocket& netlink, unsigned ifindex) {
  std::optional<PortState> port;
  NetlinkRequest request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = static_cast<int>(ifindex)});
  auto done = request.exchange(
      netlink, "read bridge port " + std::to_string(ifindex), [&](const nlmsghdr* message) {
        const Attributes<IFLA_MAX> attributes(message, static_cast<ifinfomsg*>(nullptr));
        const Attributes<IFLA_INFO_MAX> info(attributes[IFLA_LINKINFO]);
        if (info.text(IFLA_INFO_SLAVE_KIND) != "bridge") return;
        const Attributes<IFLA_BRPORT_MAX> data(info[IFLA_INFO_SLAVE_DATA]);
        port = PortState{.flags = {.hairpin = data.u8(IFLA_BRPORT_MODE) != 0,
                                   .learning = data.u8(IFLA_BRPORT_LEARNING) != 0,
                                   .unicast_flood = data.u8(IFLA_BRPORT_UNICAST_FLOOD) != 0},
                         .state = data.u8(IFLA_BRPORT_STATE)};
      });
  if (!done) return fail(done);
  if (!port) return failure(EINVAL, "link " + std::to_string(ifindex) + " is no port of a bridge");
  return *port;
}

}  // namespace

Result<Link> ensure_bridge(NetlinkSocket& netlink, const std::string& name, const MacAddr& mac,
                           unsigned mtu_bytes) {
  auto bridge = find_link(netlink, name);
  if (bridge && !*bridge) {
    if (auto created = create_bridge(netlink, name, mac, mtu_bytes); !created) return fail(created);
    bridge = find_link(netlink, name);
  }
  if (!bridge) return fail(bridge);
  if (!*bridge) return failure(ENODEV, "bridge " + name + " was deleted while it was set up");
  if ((*bridge)->kind != "bridge")
    return failure(EEXIST, "link " + name +
                               " exists and is no bridge; remove it, or set \"bridge\""
                               " to another name in the network configuration");
  if (!(*bridge)->up) {
    if (auto up = set_link_up(netlink, (*bridge)->ifindex); !up) return fail(up, name);
  }
  return **bridge;
}

Result<> set_bridge_port_up(NetlinkSocket& netlink, unsigned ifindex, const BridgePort& port) {
  NetlinkRequest request(
      RTM_NEWLINK, 0,
      ifinfomsg{.ifi_index = static_cast<int>(ifindex), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_SLAVE_KIND, std::string("bridge"));
    request.nest(IFLA_INFO_SLAVE_DATA, [&] {
      request.put(IFLA_BRPORT_MODE, std::uint8_t{port.hairpin});
      request.put(IFLA_BRPORT_LEARNING, std::uint8_t{port.learning});
      request.put(IFLA_BRPORT_UNICAST_FLOOD, std::uint8_t{port.unicast_flood});
    });
  });
  return request.exchange(netlink, "set up bridge port " + std::to_string(ifindex));
}

Result<BridgePort> get_bridge_port(NetlinkSocket& netlink, unsigned ifindex) {
  auto port = read_port(netlink, ifindex);
  if (!port) return fail(port);
  return port->flags;
}

Result<> await_bridge_port(NetlinkSocket& netlink, unsigned ifindex) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (true) {
    auto port = read_port(netlink, ifindex);
    if (!port) return fail(port);
    // The spanning tree protocol has more states, and its own time.
    if (port->state != BR_STATE_DISABLED || std::chrono::steady_clock::now() >= end) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Result<> ensure_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac) {
  // NUD_NOARP is what bridge(8) calls "static": reached through this port,
  // never aged. NUD_PERMANENT would make it an address of the bridge itself.
  const ndmsg entry{.ndm_family = AF_BRIDGE,
                    .ndm_ifindex = static_cast<int>(ifindex),
                    .ndm_state = NUD_NOARP,
                    .ndm_flags = NTF_MASTER};
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, entry);
  request.put(NDA_LLADDR, mac);
  return request.exchange(netlink,
                          "add FDB entry " + mac.str() + " on port " + std::to_string(ifindex));
}

Result<bool> has_fdb_entry(NetlinkSocket& netlink, unsigned ifindex, const MacAddr& mac) {
  bool found = false;
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{.ndm_family = AF_BRIDGE});
  auto done = request.dump(
      netlink, "list FDB", [&] { found = false; },
      [&](const nlmsghdr* message) {
        const auto* entry = static_cast<const ndmsg*>(nlmsg_data(message));
        const Attributes<NDA_MAX> attributes(message, entry);
        found = found || (static_cast<unsigned>(entry->ndm_ifindex) == ifindex &&
                          (entry->ndm_state & NUD_NOARP) && attributes.mac(NDA_LLADDR) == mac);
      });
  if (!done) return fail(done);
  return found;
}

}  // namespace kubecni
